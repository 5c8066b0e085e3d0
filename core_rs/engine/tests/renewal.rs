//! Runs that follow others (semantics.md H).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{MessageBody, Reply};
use perdure_history::testing::start;
use perdure_history::{Chain, Command, MessageId, RetryPolicy, RunStarted, Successor};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use perdure_store::{AppendError, RunStatus, Store};
use support::{World, complete, failure, payload, run_id};

/// Goes on in run 9 at the signal `again`; ends at the signal `end`.
fn renewer(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("again") => {
            vec![Command::ContinueAsNew(Arc::new(successor()))]
        }
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        _ => vec![],
    })
}

fn successor() -> Successor {
    let start = RunStarted {
        message_id: MessageId("next".to_owned()),
        workflow_id: "workflow-1".to_owned(),
        origin: run_id(9),
        chain: Chain {
            continued_run_id: Some(run_id(1)),
            ..Chain::default()
        },
        ..start("audit")
    };
    Successor {
        run: run_id(9),
        start,
    }
}

fn result_of(world: &mut World, run: u8) -> (ClosedStatus, Option<perdure_history::RunId>) {
    match world.result(run_id(run)) {
        Some(Reply::Result {
            status, next_run, ..
        }) => (status, next_run),
        other => panic!("{other:?}"),
    }
}

/// A run that is to go on, while a message for it waits: the turn is held.
fn closing_with_a_message_behind() -> World {
    let mut world = World::new(renewer);
    world.start_run(1);
    world.holds_turns = true;
    world.signal(run_id(1), "again");
    world.signal(run_id(1), "end");
    world
}

#[test]
fn h7_the_next_run_follows_at_once_and_takes_the_messages_that_wait() {
    let mut world = closing_with_a_message_behind();
    world.holds_turns = false;
    world.step_held();
    let went_on = (ClosedStatus::ContinuedAsNew, Some(run_id(9)));
    assert_eq!(result_of(&mut world, 1), went_on);
    assert_eq!(result_of(&mut world, 9), (ClosedStatus::Completed, None));
    let words = world.history(run_id(9));
    assert_eq!(words, ["RunStarted", "SignalReceived", "CompleteRun"]);
    assert!(world.store.inbox(None).unwrap().is_empty());
}

#[test]
fn h7_killed_between_the_close_and_the_next_run_nobody_else_takes_the_workflow_id() {
    let mut world = closing_with_a_message_behind();
    world.writes_refused = true;
    let reason = "power cut".to_owned();
    world.refusals = vec![AppendError::SyncFailed { reason }];
    world.step_held();
    assert!(world.store.describe(run_id(9)).unwrap().is_none());
    world.holds_turns = false;
    world.restart();
    let other = world.start_named(2, "workflow-1");
    let taken = Reply::AlreadyStarted { run: run_id(9) };
    assert_eq!(world.reply_to(other), Some(&taken));
    world.host(&["audit"]);
    assert_eq!(result_of(&mut world, 9), (ClosedStatus::Completed, None));
    let words = world.history(run_id(9));
    assert_eq!(words, ["RunStarted", "SignalReceived", "CompleteRun"]);
    let old = world.store.describe(run_id(1)).unwrap().unwrap();
    assert_eq!(old.status, RunStatus::ContinuedAsNew);
    assert!(world.store.inbox(None).unwrap().is_empty());
}

#[test]
fn h11_a_message_that_the_old_run_had_already_does_not_come_again_in_the_next() {
    let mut world = World::new(renewer);
    world.start_run(1);
    world.signal(run_id(1), "first");
    world.holds_turns = true;
    world.signal(run_id(1), "again");
    world.signal(run_id(1), "first");
    world.holds_turns = false;
    world.step_held();
    assert_eq!(world.history(run_id(9)), ["RunStarted"]);
}

/// Fails at once.
fn failing(_: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(vec![Command::FailRun {
        failure: failure("Broken"),
        next: None,
    }])
}

#[test]
fn c15_a_next_attempt_waits_through_a_restart() {
    let mut world = World::new(failing);
    let start = perdure_engine::StartRun {
        chain: Chain {
            retry_policy: Some(RetryPolicy {
                maximum_attempts: 2,
                jitter: 0.0,
                ..RetryPolicy::default()
            }),
            start_delay: Some(Duration::from_secs(5)),
            ..Chain::default()
        },
        ..world.start_of(1, "workflow-1")
    };
    world.send_as("start-1", MessageBody::Start(Box::new(start)));
    assert!(world.history(run_id(1)).is_empty());
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(4));
    assert!(world.history(run_id(1)).is_empty());
    world.advance(Duration::from_secs(1));
    let (status, next) = result_of(&mut world, 1);
    assert_eq!(status, ClosedStatus::Failed);
    let next = next.unwrap();
    world.restart();
    world.host(&["audit"]);
    assert!(world.history(next).is_empty());
    world.advance(Duration::from_secs(2));
    assert_eq!(world.history(next), ["RunStarted", "FailRun"]);
    assert_eq!(world.engine.open_runs(), 0);
    assert!(world.store.inbox(None).unwrap().is_empty());
}
