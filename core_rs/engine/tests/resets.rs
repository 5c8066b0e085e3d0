//! Runs that go on from a copy of another one's history, killed at every write: nothing lost,
//! nothing twice.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{MessageBody, Reply, ResetRun, encode_message};
use perdure_history::{
    ActivityOptions, CancellationType, Command, Event, Fork, MessageId, RecordBody, RunId,
};
use perdure_machine::Activation;
use perdure_store::{AppendError, InboxMessage, RunStatus, Store};

use support::{World, activity, at, payload, run_id};

const NEW: u8 = 60;

/// Reserves, then charges, then ends; a signal changes nothing.
///
/// ```text
/// 1 run started
/// 2   schedule reserve
/// 3 activity completed (2)
/// 4   schedule charge
/// 5 activity completed (4)
/// 6   complete run
/// ```
fn order(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let options = ActivityOptions::default;
    Ok(match activation {
        Activation::Start(_) => vec![activity("reserve", None, options())],
        Activation::ResolveActivity {
            command_n: 2,
            outcome: Ok(_),
        } => vec![activity("charge", None, options())],
        Activation::ResolveActivity {
            outcome: Ok(result),
            ..
        } => vec![Command::CompleteRun {
            result: result.clone(),
        }],
        Activation::ResolveActivity {
            outcome: Err(failure),
            ..
        } => vec![Command::FailRun {
            failure: failure.clone(),
            next: None,
        }],
        _ => Vec::new(),
    })
}

fn request(event_n: u64) -> ResetRun {
    ResetRun {
        from: run_id(1),
        run: run_id(NEW),
        event_n,
        reason: "a test".to_owned(),
        results: Vec::new(),
        keeps_messages: true,
        fork: None,
    }
}

fn fork(event_n: u64) -> ResetRun {
    ResetRun {
        fork: Some(Fork {
            workflow_id: "fork".to_owned(),
            seed: 99,
            origin: run_id(NEW),
        }),
        ..request(event_n)
    }
}

fn reset(world: &mut World, request: ResetRun) -> Option<Reply> {
    let to = world.send_as("reset", MessageBody::Reset(Box::new(request)));
    world.reply_to(to).cloned()
}

/// Puts a request into the inbox, as a client in another process does before it asks.
fn post(world: &mut World, request: &ResetRun) {
    let body = MessageBody::Reset(Box::new(request.clone()));
    post_as(world, "reset", &body);
}

fn post_as(world: &mut World, id: &str, body: &MessageBody) {
    let message_id = MessageId(id.to_owned());
    let received_at = world.now;
    let posted = InboxMessage {
        run: body.recipient(),
        body: encode_message(&message_id, body, received_at).unwrap(),
        message_id,
        received_at,
    };
    assert!(world.store.post(&posted).unwrap());
}

fn started() -> Option<Reply> {
    let run = run_id(NEW);
    Some(Reply::Started { run })
}

fn refusal(reply: Option<Reply>) -> String {
    match reply {
        Some(Reply::ResetRefused { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// 1 run started, 2 schedule reserve, 3 completed, 4 schedule charge, 5 signal.
fn signalled() -> World {
    let mut world = World::new(order);
    world.start_run(1);
    world.complete("reserved");
    world.signal(run_id(1), "s1");
    world
}

fn finish(world: &mut World) {
    while !world.tasks.is_empty() {
        world.complete("done");
    }
}

fn key_of(world: &World, name: &str) -> String {
    let of_name = |task: &&perdure_engine::Task| &*task.activity == name;
    let task = world.tasks.iter().find(of_name).unwrap();
    task.idempotency_key.to_string()
}

/// Resets with a crash at one write from the request on; `None` for no crash.
fn killed_at(
    stop: Option<(usize, bool)>,
    posts: bool,
    asked: &ResetRun,
    mut world: World,
) -> (World, bool) {
    world.appends = 0;
    world.stops_at = stop;
    if posts {
        post(&mut world, asked);
    }
    reset(&mut world, asked.clone());
    if !world.stopped {
        world.tasks.retain(|task| task.id.run == run_id(NEW));
        finish(&mut world);
    }
    let stopped = world.stopped;
    if stopped {
        world.restart();
        world.host(&["audit"]);
        // What is durable goes on by itself.
        let closed = world.status(run_id(1)) == Some(RunStatus::Terminated);
        assert!(!closed || world.status(run_id(NEW)).is_some());
        // The client heard nothing, and asks again under the same message.
        assert_eq!(reset(&mut world, asked.clone()), started());
        world.advance(Duration::from_secs(60));
        world.tasks.retain(|task| task.id.run == run_id(NEW));
        finish(&mut world);
    }
    (world, stopped)
}

/// Resets with a crash at each write, with the request in the inbox or not.
fn everywhere(asked: &ResetRun, begin: fn() -> World, mut check: impl FnMut(&World, &str)) {
    for posts in [false, true] {
        let name = if posts { "posted" } else { "sent" };
        check(&killed_at(None, posts, asked, begin()).0, name);
        for after in [false, true] {
            let mut count = 0;
            for at in 1.. {
                let (world, stopped) = killed_at(Some((at, after)), posts, asked, begin());
                if !stopped {
                    break;
                }
                count += 1;
                check(&world, &format!("{name}, write {at}, durable: {after}"));
            }
            assert!(count >= 3, "only {count} writes");
        }
    }
}

/// What a history says, but for attempts that were lost with an engine.
fn told(world: &World, run: RunId) -> Vec<String> {
    let mut history = world.history(run);
    history.retain(|word| word != "ActivityAttemptFailed");
    history
}

#[test]
fn an_open_run_is_reset_whatever_crashes_and_its_signals_go_on() {
    everywhere(&request(3), signalled, |world, case| {
        let old = [
            "RunStarted",
            "ScheduleActivity:reserve",
            "ActivityCompleted",
            "ScheduleActivity:charge",
            "SignalReceived",
            "RunTerminated",
        ];
        assert_eq!(told(world, run_id(1)), old, "{case}");
        let new = [
            "RunStarted",
            "ScheduleActivity:reserve",
            "RunReset",
            "SignalReceived",
            "ActivityCompleted",
            "ScheduleActivity:charge",
            "ActivityCompleted",
            "CompleteRun",
        ];
        assert_eq!(told(world, run_id(NEW)), new, "{case}");
        assert_eq!(
            world.status(run_id(NEW)),
            Some(RunStatus::Completed),
            "{case}"
        );
        assert_eq!(world.inbox(), [], "{case}");
    });
}

/// A paused run, with a signal in its inbox whose sender has heard that it is there.
fn paused() -> World {
    let mut world = signalled();
    let (run, reason) = (run_id(1), "a test".to_owned());
    world.send(MessageBody::Pause { run, reason });
    let told = world.signal(run_id(1), "s2");
    assert_eq!(world.reply_to(told), Some(&Reply::Accepted));
    world
}

#[test]
fn what_a_sender_knows_to_be_there_is_in_the_new_run_whatever_crashes() {
    everywhere(&request(3), paused, |world, case| {
        let new = told(world, run_id(NEW));
        let signals = new.iter().filter(|word| *word == "SignalReceived");
        assert_eq!(signals.count(), 2, "{case}: {new:?}");
        assert_eq!(world.inbox(), [], "{case}");
    });
}

#[test]
fn an_outcome_in_the_inbox_of_a_held_run_is_taken_over_and_nothing_runs_again() {
    fn breaks(activation: &Activation) -> Result<Vec<Command>, &'static str> {
        match activation {
            Activation::Signal { .. } => Err("a bug"),
            other => order(other),
        }
    }
    let paused = || {
        let mut world = paused();
        world.complete("once");
        world
    };
    let parked = || {
        let mut world = World::new(breaks);
        world.start_run(1);
        world.signal(run_id(1), "s1");
        world.complete("once");
        world
    };
    let dropping = |event_n| ResetRun {
        keeps_messages: false,
        ..request(event_n)
    };
    let once = |world: &World, n: u64| {
        let records = world.records(run_id(NEW));
        let found = records.iter().find_map(|record| match &record.body {
            RecordBody::Event(Event::ActivityCompleted {
                command_n, result, ..
            }) if *command_n == n => Some(result.clone()),
            _ => None,
        });
        found == Some(payload("once"))
    };
    everywhere(&dropping(5), paused, |world, case| {
        assert!(once(world, 4), "{case}: {:?}", told(world, run_id(NEW)));
        assert_eq!(world.inbox(), [], "{case}");
    });
    everywhere(&dropping(3), parked, |world, case| {
        assert!(once(world, 2), "{case}: {:?}", told(world, run_id(NEW)));
        assert_eq!(world.inbox(), [], "{case}");
    });
}

#[test]
fn a_given_result_goes_before_an_outcome_in_the_inbox() {
    let mut world = paused();
    world.complete("once");
    let asked = ResetRun {
        results: vec![(4, payload("paid"))],
        ..request(5)
    };
    assert_eq!(reset(&mut world, asked), started());
    let Some(Reply::Result { outcome, .. }) = world.result(run_id(NEW)) else {
        panic!("{:?}", world.history(run_id(NEW)));
    };
    assert_eq!(outcome.unwrap(), payload("paid"));
    assert_eq!(world.inbox(), []);
}

#[test]
fn a_posted_request_that_is_refused_is_not_done_later() {
    let mut world = signalled();
    post(&mut world, &request(99));
    let text = refusal(reset(&mut world, request(99)));
    assert!(text.contains("records 1 to 5"), "{text}");
    assert_eq!(world.inbox(), []);
}

#[test]
fn a_closed_run_is_reset_and_forked_whatever_crashes() {
    let completed = || {
        let mut world = signalled();
        finish(&mut world);
        assert_eq!(world.status(run_id(1)), Some(RunStatus::Completed));
        world
    };
    for asked in [request(3), fork(3)] {
        everywhere(&asked, completed, |world, case| {
            assert_eq!(told(world, run_id(1)).len(), 7, "{case}");
            let new = told(world, run_id(NEW));
            assert_eq!(new[2..4], ["RunReset", "SignalReceived"], "{case}");
            assert_eq!(
                world.status(run_id(NEW)),
                Some(RunStatus::Completed),
                "{case}"
            );
            assert_eq!(world.inbox(), [], "{case}");
        });
    }
}

#[test]
fn a_reset_keeps_the_idempotency_keys_and_a_fork_takes_new_ones() {
    let mut world = signalled();
    let charge = key_of(&world, "charge");
    assert_eq!(reset(&mut world, request(5)), started());
    world.tasks.retain(|task| task.id.run == run_id(NEW));
    assert_eq!(key_of(&world, "charge"), charge);
    // A restart finds the origin in the history alone.
    finish(&mut world);

    let mut world = World::new(order);
    world.start_run(1);
    let reserve = key_of(&world, "reserve");
    assert_eq!(reset(&mut world, fork(3)), started());
    world.tasks.retain(|task| task.id.run == run_id(NEW));
    assert_ne!(key_of(&world, "reserve"), reserve);
    assert!(key_of(&world, "reserve").starts_with(&run_id(NEW).to_string()));
}

/// Nothing is outstanding until a signal comes.
fn patient(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { .. } => vec![activity("late", None, ActivityOptions::default())],
        _ => Vec::new(),
    })
}

#[test]
fn after_a_restart_the_origin_is_found_in_the_history() {
    for (asked, origin) in [(request(2), run_id(1)), (fork(2), run_id(NEW))] {
        let mut world = World::new(patient);
        world.start_run(1);
        world.signal(run_id(1), "s1");
        let asked = ResetRun {
            keeps_messages: false,
            ..asked
        };
        assert_eq!(reset(&mut world, asked), started());
        assert_eq!(world.history(run_id(NEW)), ["RunStarted", "RunReset"]);
        world.restart();
        world.host(&["audit"]);
        world.signal(run_id(NEW), "s2");
        world.tasks.retain(|task| task.id.run == run_id(NEW));
        let key = key_of(&world, "late");
        assert!(key.starts_with(&origin.to_string()), "{key}");
    }
}

#[test]
fn the_old_run_names_the_new_one_and_its_workers_are_told_to_stop() {
    let mut world = signalled();
    let waits = world.send(MessageBody::AwaitResult { run: run_id(1) });
    reset(&mut world, request(5));
    let Some(Reply::Result { next_run, .. }) = world.reply_to(waits) else {
        panic!("{:?}", world.reply_to(waits));
    };
    assert_eq!(*next_run, Some(run_id(NEW)));
    assert_eq!(world.cancelled.len(), 1, "{:?}", world.cancelled);
    let late = world.tasks.iter().position(|task| task.id.run == run_id(1));
    let late = world.tasks.remove(late.unwrap());
    let before = world.history(run_id(NEW));
    world.report(
        &late,
        perdure_engine::TaskOutcome::Completed {
            result: payload("late"),
        },
    );
    assert_eq!(world.history(run_id(NEW)), before);
    assert_eq!(world.history(run_id(1)).last().unwrap(), "RunTerminated");
}

#[test]
fn given_results_stand_in_place_of_recorded_ones_and_end_outstanding_calls() {
    let mut world = signalled();
    let asked = ResetRun {
        results: vec![(2, payload("given")), (4, payload("paid"))],
        ..request(5)
    };
    assert_eq!(reset(&mut world, asked), started());
    let records = world.records(run_id(NEW));
    let results: Vec<_> = records
        .iter()
        .filter_map(|record| match &record.body {
            RecordBody::Event(Event::ActivityCompleted {
                command_n, result, ..
            }) => Some((*command_n, result.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(results, [(2, payload("given")), (4, payload("paid"))]);
    assert_eq!(
        world.result(run_id(NEW)).map(|reply| match reply {
            Reply::Result { outcome, .. } => outcome.unwrap(),
            other => panic!("{other:?}"),
        }),
        Some(payload("paid"))
    );
    assert!(world.tasks.iter().all(|task| task.id.run == run_id(1)));
}

#[test]
fn a_given_result_that_no_turn_has_taken_outlives_a_crash() {
    let mut world = signalled();
    world.holds_turns = true;
    let asked = ResetRun {
        results: vec![(4, payload("paid"))],
        ..request(5)
    };
    assert_eq!(reset(&mut world, asked), started());
    world.holds_turns = false;
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.status(run_id(NEW)), Some(RunStatus::Completed));
    assert_eq!(world.inbox(), []);
}

#[test]
fn what_cannot_be_reset_is_refused_and_the_run_goes_on() {
    let mut world = signalled();
    let refused = |world: &mut World, asked| refusal(reset(world, asked));
    let text = refused(&mut world, request(4));
    assert!(text.contains("choose event 3 or 5"), "{text}");
    let text = refused(&mut world, request(99));
    assert!(text.contains("records 1 to 5"), "{text}");
    let text = refused(&mut world, request(1));
    assert!(text.contains("from 2 to 6"), "{text}");
    let given = ResetRun {
        results: vec![(1, payload("x"))],
        ..request(5)
    };
    let text = refused(&mut world, given);
    assert!(text.contains("no activity"), "{text}");
    finish(&mut world);
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Completed));
    let text = refused(&mut world, request(8));
    assert!(text.contains("choose event 6 or an earlier one"), "{text}");
    let unknown = ResetRun {
        from: run_id(77),
        ..request(3)
    };
    let run = run_id(77);
    assert_eq!(reset(&mut world, unknown), Some(Reply::NotFound { run }));
    assert_eq!(world.inbox(), []);
}

#[test]
fn a_workflow_id_that_another_run_has_is_not_taken_from_it() {
    let mut world = signalled();
    finish(&mut world);
    world.start_named(2, "workflow-1");
    let run = run_id(2);
    assert_eq!(
        reset(&mut world, request(3)),
        Some(Reply::AlreadyStarted { run })
    );
    assert_eq!(world.status(run_id(NEW)), None);
    assert_eq!(world.inbox(), []);
}

#[test]
fn messages_that_no_turn_has_taken_go_over_unless_they_are_dropped() {
    for keeps_messages in [true, false] {
        let mut world = signalled();
        world.holds_turns = true;
        world.signal(run_id(1), "s2");
        world.signal(run_id(1), "s3");
        let asked = ResetRun {
            keeps_messages,
            ..request(5)
        };
        reset(&mut world, asked);
        world.holds_turns = false;
        world.step_held();
        let kept = if keeps_messages { 3 } else { 0 };
        let new = world.history(run_id(NEW));
        let signals = new.iter().filter(|word| *word == "SignalReceived");
        assert_eq!(signals.count(), kept, "{new:?}");
        assert_eq!(world.inbox(), []);
    }
}

#[test]
fn a_reset_run_is_reset_again_and_its_records_name_the_run_that_wrote_them() {
    let mut world = signalled();
    reset(&mut world, request(5));
    world.tasks.retain(|task| task.id.run == run_id(NEW));
    let again = ResetRun {
        from: run_id(NEW),
        run: run_id(NEW + 1),
        ..request(3)
    };
    let to = world.send_as("again", MessageBody::Reset(Box::new(again)));
    let run = run_id(NEW + 1);
    assert_eq!(world.reply_to(to), Some(&Reply::Started { run }));
    let records = world.records(run);
    let RecordBody::Event(Event::RunReset(reset)) = &records[2].body else {
        panic!("{records:?}");
    };
    assert_eq!(
        reset.run,
        run_id(1),
        "record 2 was written in the first run"
    );
    world.tasks.retain(|task| task.id.run == run);
    finish(&mut world);
    assert_eq!(world.status(run), Some(RunStatus::Completed));
}

#[test]
fn what_ends_a_run_while_it_is_read_for_a_reset_hears_of_its_end() {
    let mut world = signalled();
    world.holds_reads = true;
    let asked = world.send_as("reset", MessageBody::Reset(Box::new(request(5))));
    let (run, reason) = (run_id(1), "late".to_owned());
    let terminate = MessageBody::Terminate { run, reason };
    post_as(&mut world, "late", &terminate);
    let late = world.send_as("late", terminate);
    world.read_held();
    assert_eq!(world.reply_to(asked).cloned(), started());
    let heard = world.reply_to(late);
    assert!(matches!(heard, Some(Reply::Closed { .. })), "{heard:?}");
    assert_eq!(world.inbox(), []);
}

#[test]
fn a_move_while_the_run_is_read_for_a_reset_is_told_that_it_is_closed() {
    let mut world = signalled();
    world.holds_reads = true;
    world.send_as("reset", MessageBody::Reset(Box::new(request(5))));
    let (run, pinned_to) = (run_id(1), None);
    let moves = MessageBody::UpdateOptions { run, pinned_to };
    post_as(&mut world, "move", &moves);
    let moved = world.send_as("move", moves);
    world.read_held();
    let heard = world.reply_to(moved);
    assert!(matches!(heard, Some(Reply::Closed { .. })), "{heard:?}");
    let old = world.history(run_id(1));
    assert!(!old.contains(&"OptionsUpdated".to_owned()), "{old:?}");
    assert_eq!(world.inbox(), []);
}

#[test]
fn a_move_while_a_run_closes_is_told_so() {
    let mut world = signalled();
    world.refusals.push(AppendError::NoSpace);
    let (run, reason) = (run_id(1), String::new());
    world.send(MessageBody::Terminate { run, reason });
    let moves = MessageBody::UpdateOptions {
        run,
        pinned_to: None,
    };
    let moved = world.send_as("move", moves);
    assert_eq!(world.reply_to(moved), None);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.status(run), Some(RunStatus::Terminated));
    let heard = world.reply_to(moved);
    assert!(matches!(heard, Some(Reply::Closed { .. })), "{heard:?}");
}

/// Calls a step and sets a timer; takes the step back when told, and waits until it has ended.
fn takes_back(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let options = ActivityOptions {
        cancellation_type: CancellationType::WaitCompleted,
        ..ActivityOptions::default()
    };
    Ok(match activation {
        Activation::Start(_) => vec![
            activity("slow", None, options),
            Command::StartTimer {
                fire_at: at(1_100),
                site: Arc::default(),
            },
        ],
        Activation::Signal { arguments, .. } if *arguments == payload("back") => {
            vec![Command::CancelActivity { command_n: 2 }]
        }
        _ => Vec::new(),
    })
}

#[test]
fn what_was_received_before_a_timer_was_due_comes_before_it_in_the_new_run() {
    let mut world = World::new(takes_back);
    world.start_run(1);
    world.signal(run_id(1), "back");
    world.advance(Duration::from_secs(10));
    world.signal(run_id(1), "in time");
    world.advance(Duration::from_secs(190));
    assert_eq!(
        world.history(run_id(1))[5..],
        ["SignalReceived", "TimerFired"]
    );
    assert_eq!(reset(&mut world, request(6)), started());
    let new = world.history(run_id(NEW));
    let expected = [
        "RunReset",
        "ActivityCancelled",
        "SignalReceived",
        "TimerFired",
    ];
    assert_eq!(new[5..], expected);
}

fn damaged() -> AppendError {
    let (run, reason) = (run_id(1), "a test".to_owned());
    AppendError::Damaged { run, reason }
}

#[test]
fn who_asks_for_a_reset_hears_when_the_run_cannot_be_written() {
    let mut world = signalled();
    world.refusals.push(damaged());
    let heard = reset(&mut world, request(5));
    assert!(matches!(heard, Some(Reply::Damaged { .. })), "{heard:?}");

    // A request that waits for a turn which then cannot be written.
    let mut world = signalled();
    world.holds_turns = true;
    world.signal(run_id(1), "s2");
    let asked = world.send_as("reset", MessageBody::Reset(Box::new(request(5))));
    world.refusals.push(damaged());
    world.step_held();
    // The store still has the run open.
    let run = run_id(1);
    assert_eq!(world.reply_to(asked), Some(&Reply::AlreadyStarted { run }));
}

#[test]
fn a_failed_run_goes_on_from_its_failure() {
    let mut world = World::new(order);
    world.start_run(1);
    let task = world.tasks.remove(0);
    let mut failure = support::failure("Broken");
    if let perdure_history::FailureKind::Application { non_retryable, .. } = &mut failure.kind {
        *non_retryable = true;
    }
    world.report(&task, perdure_engine::TaskOutcome::Failed { failure });
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Failed));
    assert_eq!(reset(&mut world, request(3)), started());
    finish(&mut world);
    assert_eq!(world.status(run_id(NEW)), Some(RunStatus::Completed));
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Failed));
}

#[test]
fn a_parked_run_is_reset_to_before_its_bug() {
    fn breaks(activation: &Activation) -> Result<Vec<Command>, &'static str> {
        match activation {
            Activation::Signal { .. } => Err("a bug"),
            other => order(other),
        }
    }
    let mut world = World::new(breaks);
    world.start_run(1);
    world.signal(run_id(1), "s1");
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Parked));
    let asked = ResetRun {
        keeps_messages: false,
        ..request(3)
    };
    assert_eq!(reset(&mut world, asked), started());
    world.tasks.retain(|task| task.id.run == run_id(NEW));
    finish(&mut world);
    assert_eq!(world.status(run_id(NEW)), Some(RunStatus::Completed));
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Terminated));
    assert_eq!(world.inbox(), []);
}
