//! The life of a run: starting, messages, timers, closing, parking (semantics.md A, D, J).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Effect, EngineOptions, Input, Message, MessageBody, Reply, ReplyTo, Stopped};
use perdure_history::{
    ActivityOptions, Command, Event, FailureKind, MessageId, RecordBody, Site, TimeoutKind,
};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use perdure_store::{AppendError, RunStatus, Store};
use support::{World, activity, at, complete, payload, run_id};

fn timer(seconds: i64) -> Command {
    Command::StartTimer {
        fire_at: at(seconds),
        site: Arc::new(Site::default()),
    }
}

/// Sleeps until 1,010 s, then ends.
fn sleeper(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![timer(1_010)],
        Activation::FireTimer { .. } => vec![complete("slept")],
        Activation::RequestCancel { .. } => vec![Command::CancelRun { details: None }],
        _ => vec![],
    })
}

/// A bug in the code that handles the start.
fn broken(_: &Activation) -> Result<Vec<Command>, &'static str> {
    Err("a bug")
}

/// Ends at the signal `end`.
fn listener(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        Activation::Signal { arguments, .. } if *arguments == payload("bug") => {
            return Err("a bug in the handler");
        }
        _ => vec![],
    })
}

fn outcome(reply: Option<Reply>) -> ClosedStatus {
    match reply {
        Some(Reply::Result { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a1_a3_the_same_start_finds_its_run_and_another_is_told_of_it() {
    let mut world = World::new(sleeper);
    world.start_run(1);
    let again = world.start_with(1, None);
    assert_eq!(
        world.reply_to(again),
        Some(&Reply::Started { run: run_id(1) })
    );
    let other = world.start_named(2, "workflow-1");
    assert_eq!(
        world.reply_to(other),
        Some(&Reply::AlreadyStarted { run: run_id(1) })
    );
    assert_eq!(world.engine.open_runs(), 1);
    assert_eq!(world.history(run_id(1)), ["RunStarted", "StartTimer"]);
}

#[test]
fn a2_the_id_is_free_again_after_the_close() {
    let mut world = World::new(sleeper);
    world.start_run(1);
    world.advance(Duration::from_secs(10));
    let other = world.start_named(2, "workflow-1");
    assert_eq!(
        world.reply_to(other),
        Some(&Reply::Started { run: run_id(2) })
    );
    assert_eq!(world.history(run_id(1)).len(), 4);
}

#[test]
fn a3_a_start_repeated_after_its_run_closed_and_a_restart_finds_it() {
    let mut world = World::new(sleeper);
    world.start_run(1);
    world.advance(Duration::from_secs(10));
    world.restart();
    world.host(&["audit"]);
    let again = world.start_with(1, None);
    assert_eq!(
        world.reply_to(again),
        Some(&Reply::Started { run: run_id(1) })
    );
    assert_eq!(world.engine.open_runs(), 0);
}

#[test]
fn a9_a_run_times_out_without_any_host() {
    let mut world = World::new(sleeper);
    world.start_with(1, Some(Duration::from_secs(5)));
    world.restart();
    world.advance(Duration::from_secs(5));
    match world.result(run_id(1)) {
        Some(Reply::Result {
            status: ClosedStatus::TimedOut,
            outcome: Err(failure),
            ..
        }) => {
            let FailureKind::Timeout { kind, .. } = failure.kind else {
                panic!("{failure:?}")
            };
            assert_eq!(kind, TimeoutKind::Run);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        world.history(run_id(1)),
        ["RunStarted", "StartTimer", "RunTimedOut"]
    );
}

#[test]
fn a10_terminate_runs_no_code_tells_workers_and_refuses_late_results() {
    let mut world = World::new(|activation| match activation {
        Activation::Start(_) => Ok(vec![activity("parse", None, ActivityOptions::default())]),
        _ => Err("no code may run"),
    });
    let run = world.start_run(1);
    let waiting = world.send(MessageBody::AwaitResult { run });
    let task = world.tasks.remove(0);
    let reason = "wrong".to_owned();
    let terminated = world.send(MessageBody::Terminate { run, reason });
    assert_eq!(world.reply_to(terminated), Some(&Reply::Accepted));
    assert_eq!(
        outcome(world.reply_to(waiting).cloned()),
        ClosedStatus::Terminated
    );
    assert_eq!(world.cancelled, [task.id.to_string()]);
    assert_eq!(world.evicted, [run]);
    world.report(
        &task,
        perdure_engine::TaskOutcome::Completed {
            result: payload("late"),
        },
    );
    assert_eq!(world.history(run).last().unwrap(), "RunTerminated");
}

#[test]
fn a11_a_message_to_a_closed_or_unknown_run_is_told_so() {
    let mut world = World::new(sleeper);
    let run = world.start_run(1);
    world.advance(Duration::from_secs(10));
    let late = world.signal(run, "late");
    let closed = Reply::Closed {
        run,
        status: ClosedStatus::Completed,
    };
    assert_eq!(world.reply_to(late), Some(&closed));
    let unknown = world.signal(run_id(9), "late");
    assert_eq!(
        world.reply_to(unknown),
        Some(&Reply::NotFound { run: run_id(9) })
    );
}

#[test]
fn a13_a_start_of_an_unknown_type_is_kept_and_runs_after_the_deploy() {
    let mut world = World::new(sleeper);
    world.host(&["other"]);
    let started = world.start_with(1, None);
    assert_eq!(
        world.reply_to(started),
        Some(&Reply::Started { run: run_id(1) })
    );
    let status = |world: &World| world.store.describe(run_id(1)).unwrap().unwrap().status;
    assert_eq!(status(&world), RunStatus::Parked);
    world.restart();
    assert_eq!(
        world
            .engine
            .describe(run_id(1))
            .unwrap()
            .parked
            .unwrap()
            .code,
        "PRD1203"
    );
    world.host(&["audit"]);
    assert_eq!(status(&world), RunStatus::Running);
    assert!(world.store.inbox(None).unwrap().is_empty());
    world.advance(Duration::from_secs(10));
    assert_eq!(outcome(world.result(run_id(1))), ClosedStatus::Completed);
}

#[test]
fn a_parked_start_can_be_terminated_and_its_history_says_what_ended() {
    let mut world = World::new(broken);
    let run = world.start_run(1);
    world.send(MessageBody::Terminate {
        run,
        reason: String::new(),
    });
    assert_eq!(world.history(run), ["RunStarted", "RunTerminated"]);
    assert!(world.store.inbox(None).unwrap().is_empty());
}

#[test]
fn law_7_a_bug_parks_its_run_keeps_the_message_and_tries_again_with_backoff() {
    let mut world = World::new(listener);
    let run = world.start_run(1);
    let bug = world.signal(run, "bug");
    assert_eq!(
        world.reply_to(bug),
        Some(&Reply::Accepted),
        "it is in the inbox"
    );
    assert_eq!(world.store.inbox(None).unwrap().len(), 1);
    let later = world.signal(run, "end");
    assert_eq!(world.reply_to(later), Some(&Reply::Accepted));
    let loads = world.loads;
    world.advance(Duration::from_secs(10));
    assert_eq!(world.loads, loads + 1, "tried again after 10 s");
    world.advance(Duration::from_secs(20));
    assert_eq!(world.loads, loads + 2, "and after 20 s more");
    world.restart();
    world.workflow = |activation| {
        Ok(match activation {
            Activation::Signal { arguments, .. } if *arguments == payload("end") => {
                vec![complete("ended")]
            }
            _ => vec![],
        })
    };
    world.host(&["audit"]);
    assert_eq!(outcome(world.result(run)), ClosedStatus::Completed);
    let history = world.history(run);
    assert_eq!(
        history[1..],
        ["SignalReceived", "SignalReceived", "CompleteRun"]
    );
    assert!(world.store.inbox(None).unwrap().is_empty());
}

#[test]
fn a_turn_is_cut_before_the_event_that_failed() {
    let mut world = World::new(listener);
    let run = world.start_run(1);
    world.host(&[]);
    for id in ["one", "bug"] {
        world.signal(run, id);
    }
    world.host(&["audit"]);
    assert_eq!(world.history(run), ["RunStarted", "SignalReceived"]);
    assert_eq!(world.store.inbox(None).unwrap().len(), 1);
}

#[test]
fn f7_the_same_message_twice_is_delivered_once() {
    let mut world = World::new(listener);
    let run = world.start_run(1);
    for _ in 0..2 {
        let sent = world.signal(run, "s1");
        assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    }
    world.restart();
    world.host(&["audit"]);
    let sent = world.signal(run, "s1");
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    assert_eq!(world.history(run), ["RunStarted", "SignalReceived"]);
}

#[test]
fn d4_a_timer_due_during_an_outage_fires_once_at_recording_time() {
    let mut world = World::new(sleeper);
    let run = world.start_run(1);
    world.now = at(5_000);
    world.restart();
    world.advance(Duration::ZERO);
    world.host(&["audit"]);
    let records = world.records(run);
    let fired = |r: &&perdure_history::Record| {
        matches!(r.body, RecordBody::Event(Event::TimerFired { .. }))
    };
    let fired: Vec<_> = records.iter().filter(fired).collect();
    assert_eq!(fired.len(), 1);
    assert_eq!(fired[0].at, at(5_000));
}

#[test]
fn law_5_what_piled_up_is_delivered_by_receipt_with_the_timers_between() {
    let mut world = World::new(sleeper);
    let run = world.start_run(1);
    world.host(&[]);
    world.now = at(1_005);
    world.signal(run, "before");
    world.now = at(1_020);
    world.signal(run, "after");
    world.host(&["audit"]);
    let history = world.history(run);
    assert_eq!(
        history[2..],
        ["SignalReceived", "TimerFired", "CompleteRun"]
    );
}

#[test]
fn d8_a_run_s_time_does_not_go_back_with_the_clock() {
    let mut world = World::new(listener);
    let run = world.start_run(1);
    world.now = at(900);
    world.restart();
    world.host(&["audit"]);
    world.signal(run, "s1");
    let records = world.records(run);
    assert!(records.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn cancel_is_delivered_to_the_code() {
    let mut world = World::new(sleeper);
    let run = world.start_run(1);
    let sent = world.send(MessageBody::Cancel {
        run,
        reason: "enough".to_owned(),
    });
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    assert_eq!(outcome(world.result(run)), ClosedStatus::Cancelled);
}

#[test]
fn idle_runs_beyond_the_limit_are_evicted_and_come_back() {
    let options = EngineOptions {
        maximum_cached_runs: 2,
        ..EngineOptions::default()
    };
    let mut world = World::with_options(listener, options);
    for number in 1..=5 {
        world.start_run(number);
    }
    assert_eq!(world.engine.live_runs(), 2);
    assert_eq!(world.evicted, [run_id(1), run_id(2), run_id(3)]);
    for number in 1..=5 {
        world.signal(run_id(number), "end");
    }
    assert_eq!((world.engine.open_runs(), world.engine.live_runs()), (0, 0));
}

#[test]
fn a_restart_of_sleeping_runs_reads_no_history() {
    let mut world = World::new(sleeper);
    for number in 1..=20 {
        world.start_run(number);
    }
    world.restart();
    assert_eq!(world.loads, 0);
    world.host(&["audit"]);
    assert_eq!(world.loads, 0);
    world.advance(Duration::from_secs(10));
    assert_eq!((world.loads, world.engine.open_runs()), (20, 0));
}

#[test]
fn j2_without_space_nothing_is_acknowledged_until_the_same_bytes_are_written() {
    let mut world = World::new(sleeper);
    world.refusals = vec![AppendError::NoSpace, AppendError::NoSpace];
    let started = world.start_with(1, None);
    assert_eq!(world.reply_to(started), None);
    let other = world.start_with(2, None);
    assert_eq!(world.reply_to(other), None);
    world.advance(Duration::from_millis(200));
    assert_eq!(
        world.reply_to(started),
        Some(&Reply::Started { run: run_id(1) })
    );
    assert_eq!(
        world.reply_to(other),
        Some(&Reply::Started { run: run_id(2) })
    );
}

#[test]
fn an_ambiguous_write_is_read_back_and_written_again_if_it_is_not_there() {
    let mut world = World::new(sleeper);
    world.refusals = vec![AppendError::Ambiguous { run: run_id(1) }];
    let started = world.start_with(1, None);
    assert_eq!(
        world.reply_to(started),
        Some(&Reply::Started { run: run_id(1) })
    );
    assert_eq!(world.history(run_id(1)).len(), 2);
}

#[test]
fn a_failed_sync_stops_the_engine_before_any_effect() {
    let mut world = World::new(sleeper);
    let reason = "input/output error".to_owned();
    world.refusals = vec![AppendError::SyncFailed {
        reason: reason.clone(),
    }];
    let started = world.start_with(1, None);
    assert_eq!(world.reply_to(started), None);
    assert_eq!(
        world.engine.stopped(),
        Some(&Stopped::SyncFailed { reason })
    );
}

#[test]
fn a_fenced_engine_drops_the_run_without_running_its_code() {
    let mut world = World::new(listener);
    let run = world.start_run(1);
    world.store = std::mem::take(&mut world.store).reopened();
    let sent = world.signal(run, "s1");
    assert!(matches!(world.reply_to(sent), Some(Reply::Refused { .. })));
    assert_eq!(world.engine.stopped(), Some(&Stopped::TakenOver));
    assert_eq!(world.history(run), ["RunStarted"]);
}

#[test]
fn a_damaged_history_parks_its_run_and_disturbs_no_other() {
    let mut world = World::new(listener);
    let (damaged, healthy) = (world.start_run(1), world.start_run(2));
    world.restart();
    world.host(&["audit"]);
    let message = Message {
        message_id: MessageId("s1".to_owned()),
        reply_to: Some(ReplyTo(99)),
        body: MessageBody::Signal {
            run: damaged,
            name: "go".to_owned(),
            arguments: payload("s1"),
        },
    };
    world
        .engine
        .handle_input(world.now, Input::Message(message));
    let load = world.engine.poll_effect();
    assert!(matches!(load, Some(Effect::Load { .. })), "{load:?}");
    let mut bytes = world.store.read(damaged, 1).unwrap()[0].to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.input(Input::Loaded {
        run: damaged,
        from_n: 1,
        outcome: Ok(vec![bytes.into()]),
    });
    let parked = world.engine.describe(damaged).unwrap().parked.unwrap();
    assert_eq!(parked.code, "PRD1503");
    assert_eq!(
        world.reply_to(ReplyTo(99)),
        Some(&Reply::Accepted),
        "kept in the inbox"
    );
    world.signal(healthy, "end");
    assert_eq!(outcome(world.result(healthy)), ClosedStatus::Completed);
    world.advance(Duration::from_secs(10));
    assert_eq!(world.history(damaged), ["RunStarted", "SignalReceived"]);
}

#[test]
fn code_that_no_longer_fits_its_history_parks_the_run() {
    let mut world = World::new(sleeper);
    let run = world.start_run(1);
    world.restart();
    world.workflow = listener;
    world.host(&["audit"]);
    world.signal(run, "s1");
    let parked = world.engine.describe(run).unwrap().parked.unwrap();
    assert_eq!(parked.code, "PRD1200");
    world.workflow = sleeper;
    world.send(MessageBody::Unpark { run });
    world.advance(Duration::from_secs(10));
    assert_eq!(outcome(world.result(run)), ClosedStatus::Completed);
}

#[test]
fn a_result_for_a_parked_run_waits_durably_in_the_inbox() {
    let mut world = World::new(|activation| match activation {
        Activation::Start(_) => Ok(vec![activity("parse", None, ActivityOptions::default())]),
        Activation::Signal { .. } => Err("a bug"),
        _ => Ok(vec![complete("done")]),
    });
    let run = world.start_run(1);
    world.signal(run, "s1");
    world.complete("parsed");
    assert_eq!(world.store.inbox(None).unwrap().len(), 2);
    world.restart();
    world.workflow = |activation| {
        Ok(match activation {
            Activation::Start(_) => vec![activity("parse", None, ActivityOptions::default())],
            Activation::ResolveActivity { .. } => vec![complete("done")],
            _ => vec![],
        })
    };
    world.host(&["audit"]);
    assert!(
        world.tasks.is_empty(),
        "a recorded result is not asked for again"
    );
    assert_eq!(outcome(world.result(run)), ClosedStatus::Completed);
}

#[test]
fn drain_finishes_what_is_begun_and_begins_nothing() {
    let mut world = World::new(|activation| {
        Ok(match activation {
            Activation::Start(_) => vec![activity("parse", None, ActivityOptions::default())],
            _ => vec![complete("done")],
        })
    });
    world.serve(&[("default", &["audit"], 1)]);
    world.start_run(1);
    world.start_run(2);
    world.input(Input::Drain);
    assert!(!world.engine.is_drained());
    let refused = world.start_with(3, None);
    assert!(matches!(
        world.reply_to(refused),
        Some(Reply::Refused { .. })
    ));
    world.complete("parsed");
    assert!(world.tasks.is_empty() && world.engine.is_drained());
    assert_eq!(world.history(run_id(1)).last().unwrap(), "CompleteRun");
}
