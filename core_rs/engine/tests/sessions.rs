//! Sessions: what belongs to one begins only while it is open.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::TaskOutcome;
use perdure_history::{ActivityOptions, CancellationType, Command, Event, RecordBody, RetryPolicy};
use perdure_machine::Activation;
use support::{World, activity, complete, payload, run_id};

fn options(session: u64, maximum_attempts: u32) -> ActivityOptions {
    let retry_policy = RetryPolicy {
        maximum_attempts,
        jitter: 0.0,
        ..RetryPolicy::default()
    };
    ActivityOptions {
        retry_policy,
        session: Some(session),
        cancellation_type: CancellationType::Abandon,
        ..ActivityOptions::default()
    }
}

/// 2 session, 3 copy in it; the end of either ends the run.
fn copies(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![
            activity("session", None, options(0, 1)),
            activity("copy", None, options(2, 0)),
        ],
        Activation::ResolveActivity { command_n: 3, .. } => vec![complete("copied")],
        Activation::ResolveActivity { .. } => vec![complete("lost")],
        _ => vec![],
    })
}

fn names(world: &World) -> Vec<&str> {
    world.tasks.iter().map(|task| &*task.activity).collect()
}

#[test]
fn what_belongs_to_a_session_begins_once_it_is_open() {
    let mut world = World::new(copies);
    world.start_run(1);
    assert_eq!(names(&world), ["session", "copy"]);
    let copy = world.tasks.remove(1);
    assert_eq!((world.tasks[0].session, copy.session), (Some(0), Some(2)));
    let result = payload("copied");
    world.report(&copy, TaskOutcome::Completed { result });
    assert_eq!(world.cancelled, [format!("{}.2.1", run_id(1))]);
    assert_eq!(world.engine.open_runs(), 0);
}

#[test]
fn the_sessions_of_a_queue_are_limited_and_take_no_slot_of_an_activity() {
    let mut world = World::new(copies);
    world.serve(&[("default", &["audit"], 1)]);
    world.start_run(1);
    world.start_run(2);
    assert_eq!(names(&world), ["session", "copy"], "one session at once");
    world.tasks.swap(0, 1);
    world.complete("copied");
    assert_eq!(names(&world), ["session"], "its worker still holds it");
    let held = world.tasks.remove(0);
    world.report(&held, TaskOutcome::Cancelled { details: None });
    assert_eq!(names(&world), ["session", "copy"]);
    assert_eq!(world.tasks[1].id.run, run_id(2));
}

#[test]
fn a_session_is_lost_with_its_process_and_nothing_of_it_begins_again() {
    let mut world = World::new(copies);
    world.start_run(1);
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(60));
    assert_eq!(names(&world), [""; 0]);
    assert_eq!(world.history(run_id(1)).last().unwrap(), "CompleteRun");
    let lost = world.records(run_id(1)).into_iter().any(|record| {
        matches!(
            record.body,
            RecordBody::Event(Event::ActivityFailed { command_n: 2, .. })
        )
    });
    assert!(lost);
}

#[test]
fn while_the_run_is_parked_nothing_of_a_lost_session_begins_either() {
    let mut world = World::new(copies);
    world.start_run(1);
    world.restart();
    world.workflow = |_| Err("a bug");
    world.host(&["audit"]);
    world.advance(Duration::from_secs(9));
    assert_eq!(names(&world), [""; 0]);
}

#[test]
fn a_failed_attempt_is_tried_again_while_the_session_lasts() {
    let mut world = World::new(copies);
    world.start_run(1);
    world.tasks.swap(0, 1);
    world.fail("Flaky");
    world.advance(Duration::from_secs(1));
    assert_eq!(names(&world), ["session", "copy"]);
    assert_eq!(world.tasks[1].id.attempt, 2);
}
