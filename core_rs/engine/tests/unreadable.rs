//! A store that cannot be read for a while, and writes whose answer comes late: found by the
//! simulation. No run is lost, and no other run is disturbed.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Input, MessageBody, Reply};
use perdure_history::{ActivityOptions, Command, Site};
use perdure_machine::Activation;
use perdure_store::{AppendError, RunStatus, Store};
use support::{World, activity, at, complete, payload, run_id};

/// The wait before an unreadable run is tried again, and some more.
const TRIED_AGAIN: Duration = Duration::from_secs(31);

fn one_activity(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("parse", None, ActivityOptions::default())],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        _ => vec![],
    })
}

fn first_of_timer_and_signal(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![Command::StartTimer {
            fire_at: at(1_000) + Duration::from_millis(50),
            site: Arc::new(Site::default()),
        }],
        Activation::FireTimer { .. } => vec![complete("timer")],
        Activation::Signal { .. } => vec![complete("signal")],
        _ => vec![],
    })
}

fn status(world: &World) -> RunStatus {
    world.store.describe(run_id(1)).unwrap().unwrap().status
}

#[test]
fn an_attempt_that_fails_while_its_run_is_unreadable_waits() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    world.input(Input::Evict { count: 1 });
    world.read_failures = 1;
    world.signal(run_id(1), "s1");
    assert_eq!(status(&world), RunStatus::Parked);
    world.fail("Flaky");
    world.start_run(2);
    assert_eq!(world.tasks.len(), 1, "another run is not disturbed");
    world.advance(TRIED_AGAIN);
    world.complete("other");
    world.complete("parsed");
    let words = [
        "RunStarted",
        "ScheduleActivity:parse",
        "ActivityAttemptFailed",
        "SignalReceived",
        "ActivityCompleted",
        "CompleteRun",
    ];
    assert_eq!(world.history(run_id(1)), words);
}

#[test]
fn a_terminate_of_an_unreadable_run_waits_until_it_can_be_written_on() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    // By the restart, and by the host's word on what it has.
    world.read_failures = 2;
    world.restart();
    world.host(&["audit"]);
    world.signal(run_id(1), "s1");
    let reason = "enough".to_owned();
    let run = run_id(1);
    world.send(MessageBody::Terminate { run, reason });
    world.advance(TRIED_AGAIN);
    assert_eq!(status(&world), RunStatus::Terminated);
    assert_eq!(world.history(run_id(1)).last().unwrap(), "RunTerminated");
}

#[test]
fn a_closed_run_that_cannot_be_read_is_not_called_unknown() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    world.complete("parsed");
    world.read_failures = 1;
    let answer = world.result(run_id(1));
    assert!(
        matches!(answer, Some(Reply::Refused { .. })),
        "it is not known how it ended: {answer:?}"
    );
    assert!(matches!(
        world.result(run_id(1)),
        Some(Reply::Result { .. })
    ));
}

#[test]
fn a_write_of_unknown_outcome_is_looked_for_until_it_is_known() {
    let mut world = World::new(one_activity);
    world.start_run(1);
    world.refusals = vec![AppendError::Ambiguous { run: run_id(1) }];
    (world.writes_refused, world.read_failures) = (true, 1);
    let sent = world.signal(run_id(1), "s1");
    assert_eq!(world.reply_to(sent), None);
    world.advance(Duration::from_secs(1));
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    world.complete("parsed");
    assert_eq!(status(&world), RunStatus::Completed);
}

#[test]
fn a_timer_due_during_the_write_comes_before_a_later_signal() {
    let mut world = World::new(first_of_timer_and_signal);
    world.refusals = vec![AppendError::NoSpace];
    world.start_run(1);
    world.advance(Duration::from_millis(60));
    world.signal(run_id(1), "s1");
    world.advance(Duration::from_secs(1));
    let result = world.result(run_id(1));
    let Some(Reply::Result { outcome, .. }) = result else {
        panic!("{result:?}");
    };
    assert_eq!(outcome, Ok(payload("timer")));
}
