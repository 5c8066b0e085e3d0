//! Local activities: how far they run ahead of the write, and what a crash takes back (B9).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{EngineOptions, Input, MessageBody, Reply};
use perdure_history::{
    ActivityOptions, CancellationType, Command, FailureKind, LocalOptions, RetryPolicy,
};
use perdure_machine::Activation;
use perdure_store::Store;
use support::{World, activity, complete, run_id};

fn options(recorded_first: bool) -> ActivityOptions {
    let retry_policy = RetryPolicy {
        jitter: 0.0,
        maximum_attempts: 3,
        ..RetryPolicy::default()
    };
    ActivityOptions {
        retry_policy,
        local: Some(LocalOptions {
            retry_threshold: Duration::from_secs(1),
            recorded_first,
        }),
        ..ActivityOptions::default()
    }
}

/// A step that may be given up while it runs.
fn abandoned() -> Command {
    let options = ActivityOptions {
        cancellation_type: CancellationType::Abandon,
        ..options(false)
    };
    activity("step", None, options)
}

fn chain(activation: &Activation, recorded_first: bool) -> Vec<Command> {
    let step = || activity("step", None, options(recorded_first));
    let cancel = |command_n| Command::CancelActivity { command_n };
    match activation {
        Activation::Start(_) => vec![step()],
        Activation::ResolveActivity {
            command_n,
            outcome: Ok(result),
        } => match &result.0[..] {
            b"end" => vec![complete("end")],
            b"two" => vec![step(), step()],
            b"cancel" => vec![cancel(command_n + 1)],
            // The record after this outcome is the step.
            b"give up" => vec![abandoned(), cancel(command_n + 2)],
            b"give up one" => vec![abandoned(), cancel(command_n + 2), step()],
            b"none" => vec![],
            _ => vec![step()],
        },
        Activation::ResolveActivity {
            outcome: Err(failure),
            ..
        } => vec![Command::FailRun {
            failure: failure.clone(),
            next: None,
        }],
        _ => vec![],
    }
}

fn ahead(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(chain(activation, false))
}

fn recorded(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(chain(activation, true))
}

fn failed_with(world: &mut World) -> FailureKind {
    match world.result(run_id(1)) {
        Some(Reply::Result {
            outcome: Err(failure),
            ..
        }) => failure.cause.unwrap().kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn b9_a_hundred_steps_that_follow_each_other_are_two_writes() {
    let mut world = World::new(ahead);
    world.start_run(1);
    for _ in 0..99 {
        world.complete("again");
    }
    assert_eq!(world.appends, 1, "only the start is written");
    world.complete("end");
    assert_eq!(world.appends, 2);
    assert_eq!(world.history(run_id(1)).len(), 1 + 100 * 2 + 1);
    assert_eq!(world.store.recover().unwrap().runs.len(), 0);
}

#[test]
fn b9_what_a_crash_finds_unwritten_runs_again_and_what_is_written_never() {
    let mut world = World::new(ahead);
    world.start_run(1);
    world.complete("again");
    world.complete("again");
    assert_eq!(world.tasks[0].id.n, 6, "the third has begun");
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(1));
    let again = world.tasks[0].id;
    assert_eq!(
        (again.n, again.attempt),
        (2, 2),
        "the first was written as handed out: lost, it counts"
    );
    world.complete("again");
    world.advance(Duration::from_millis(10));
    assert_eq!(world.history(run_id(1)).len(), 5, "and now it is written");
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks.len(), 1);
    assert_eq!((world.tasks[0].id.n, world.tasks[0].id.attempt), (5, 2));
}

#[test]
fn a_turn_stays_open_for_ten_milliseconds() {
    let mut world = World::new(ahead);
    world.start_run(1);
    world.complete("again");
    world.advance(Duration::from_millis(9));
    assert_eq!(world.appends, 1);
    world.advance(Duration::from_millis(1));
    assert_eq!(world.appends, 2, "a slow one is written as handed out");
    world.complete("again");
    assert_eq!(world.appends, 2, "and the next turn is open again");
}

#[test]
fn a_message_ends_an_open_turn_and_comes_after_what_was_received_before_it() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.complete("two");
    world.complete("none");
    assert_eq!(world.appends, 1);
    let signal = world.signal(run, "s");
    assert_eq!(world.reply_to(signal), Some(&Reply::Accepted));
    let words = world.history(run);
    assert_eq!(
        words,
        [
            "RunStarted",
            "ScheduleActivity:step",
            "ActivityCompleted",
            "ScheduleActivity:step",
            "ScheduleActivity:step",
            "ActivityCompleted",
            "SignalReceived"
        ]
    );
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks.len(), 1, "only what had not ended runs again");
    assert_eq!((world.tasks[0].id.n, world.tasks[0].id.attempt), (5, 2));
}

#[test]
fn a_query_finds_what_is_committed() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.complete("again");
    world.send(MessageBody::Query {
        run,
        name: "state".to_owned(),
        arguments: support::payload("arguments"),
    });
    assert_eq!((world.appends, world.queries.len()), (2, 1));
}

#[test]
fn steps_that_are_recorded_first_cost_a_write_each() {
    let mut world = World::new(recorded);
    world.start_run(1);
    for _ in 0..9 {
        world.complete("again");
    }
    world.complete("end");
    assert_eq!(world.appends, 11);
}

#[test]
fn short_retries_leave_no_record_and_long_ones_do() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.fail("Flaky");
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks[0].id.attempt, 2);
    assert!(world.tasks[0].last_failure.is_some());
    assert_eq!((world.appends, world.history(run).len()), (1, 2));
    world.fail("Flaky");
    let words = world.history(run);
    assert_eq!(
        words.last().unwrap(),
        "ActivityAttemptFailed",
        "2 s is long"
    );
    world.advance(Duration::from_secs(2));
    world.fail("Final");
    assert!(matches!(
        failed_with(&mut world),
        FailureKind::Application { type_name, .. } if type_name == "Final"
    ));
}

#[test]
fn a_lost_attempt_counts_over_crashes() {
    let mut world = World::new(recorded);
    world.start_run(1);
    for _ in 0..2 {
        world.restart();
        world.host(&["audit"]);
        world.advance(Duration::from_secs(10));
        assert_eq!(world.tasks.len(), 1);
    }
    assert_eq!(world.tasks[0].id.attempt, 3);
    world.restart();
    world.host(&["audit"]);
    assert_eq!(failed_with(&mut world), FailureKind::WorkerLost);
}

#[test]
fn a_retry_waits_for_the_code_that_was_evicted() {
    let options = EngineOptions {
        maximum_cached_runs: 0,
        ..EngineOptions::default()
    };
    let mut world = World::with_options(recorded, options);
    let run = world.start_run(1);
    assert_eq!(world.evicted, [], "the host needs the instance for it");
    world.fail("Flaky");
    assert_eq!(world.evicted, [run], "in a wait it does not");
    let loads = world.loads;
    world.advance(Duration::from_secs(1));
    assert_eq!(world.tasks[0].id.attempt, 2);
    assert_eq!(world.loads, loads + 1, "it was replayed for its code");
    assert_eq!(world.engine.live_runs(), 1);
    world.complete("end");
    assert_eq!(world.engine.open_runs(), 0);
}

#[test]
fn a_drained_engine_writes_what_is_open() {
    let mut world = World::new(ahead);
    world.start_run(1);
    world.complete("again");
    world.input(Input::Drain);
    assert_eq!(world.appends, 2);
    world.complete("again");
    assert_eq!(world.tasks.len(), 0, "nothing new begins");
    world.restart();
    world.host(&["audit"]);
    assert_eq!(world.tasks[0].id.attempt, 1, "which then is no loss");
}

#[test]
fn a_drain_leaves_an_open_turn_that_is_stepped_on_to_its_host() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.complete("again");
    world.holds_turns = true;
    world.complete("again");
    world.input(Input::Drain);
    assert_eq!(world.appends, 1, "the host has the turn");
    assert!(!world.engine.is_drained());
    world.step_held();
    assert_eq!((world.appends, world.history(run).len()), (2, 6));
    assert!(world.engine.is_drained());
    world.holds_turns = false;
    world.restart();
    world.host(&["audit"]);
    assert_eq!(world.history(run).len(), 6);
    assert_eq!((world.tasks[0].id.n, world.tasks[0].id.attempt), (6, 1));
}

fn pause(world: &mut World) {
    let (run, reason) = (run_id(1), "wait".to_owned());
    let to = world.send(MessageBody::Pause { run, reason });
    assert_eq!(world.reply_to(to), Some(&Reply::Accepted));
}

#[test]
fn a_pause_ends_an_open_turn_and_what_comes_then_waits_in_the_inbox() {
    for evicts in [false, true] {
        let mut world = World::new(ahead);
        let run = world.start_run(1);
        world.complete("again");
        assert_eq!(world.appends, 1);
        pause(&mut world);
        assert_eq!(world.history(run).len(), 4, "what began is written");
        world.complete("again");
        assert_eq!((world.inbox().len(), world.history(run).len()), (1, 4));
        if evicts {
            world.input(Input::Evict { count: 1 });
            assert_eq!(world.engine.live_runs(), 0);
        }
        world.send(MessageBody::Unpause { run });
        assert!(world.inbox().is_empty());
        world.complete("end");
        assert_eq!(world.history(run).len(), 1 + 3 * 2 + 1, "evicts: {evicts}");
        assert_eq!(world.engine.open_runs(), 0);
    }
}

#[test]
fn a_turn_during_which_a_pause_comes_does_not_stay_open() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.complete("again");
    world.holds_turns = true;
    world.complete("again");
    let reason = "wait".to_owned();
    let to = world.send(MessageBody::Pause { run, reason });
    assert_eq!((world.appends, world.reply_to(to)), (1, None));
    world.step_held();
    assert_eq!(world.reply_to(to), Some(&Reply::Accepted));
    assert_eq!(world.history(run).len(), 6);
    world.complete("again");
    assert_eq!((world.inbox().len(), world.history(run).len()), (1, 6));
    world.restart();
    world.host(&["audit"]);
    world.send(MessageBody::Unpause { run });
    world.step_held();
    assert_eq!(world.history(run).len(), 8);
}

#[test]
fn a_step_that_is_cancelled_in_an_open_turn_is_told_to_stop() {
    let mut world = World::new(ahead);
    let run = world.start_run(1);
    world.complete("two");
    let other = world.tasks[1].id;
    world.complete("cancel");
    assert_eq!(world.cancelled, [other.to_string()]);
    assert_eq!(world.appends, 2, "it is told once that is durable");
    assert_eq!(world.history(run).last().unwrap(), "CancelActivity");
}

#[test]
fn a_step_that_is_given_up_in_the_turn_that_asks_for_it_never_begins() {
    let mut world = World::new(ahead);
    world.start_run(1);
    world.complete("give up one");
    assert_eq!(world.appends, 1);
    let begun: Vec<_> = world.tasks.iter().map(|task| task.id.n).collect();
    assert_eq!(begun, [6]);
    world.complete("give up");
    assert_eq!(world.tasks.len(), 0);
    assert_eq!(world.appends, 2, "nothing is left to stay open for");
}

#[test]
fn the_end_of_a_run_ends_an_open_turn() {
    let mut world = World::new(ahead);
    world.start_run(1);
    world.complete("two");
    assert_eq!(world.appends, 1);
    world.complete("end");
    assert_eq!((world.appends, world.engine.open_runs()), (2, 0));
}

#[test]
fn local_activities_pass_all_limits() {
    let mut world = World::new(ahead);
    world.serve(&[("default", &["audit"], 0)]);
    world.start_run(1);
    assert_eq!(world.tasks.len(), 1);
}
