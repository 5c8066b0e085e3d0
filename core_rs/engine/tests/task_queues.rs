//! Task queues: what nobody serves waits, says so, and goes on when a worker comes.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{MessageBody, Reply, ReplyTo, Route};
use perdure_history::{ActivityOptions, Command};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use perdure_store::{RunStatus, Store};
use support::{World, activity, complete, run_id};

const GRACE: Duration = Duration::from_secs(5);

fn one_step(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("parse", None, ActivityOptions::default())],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        _ => vec![],
    })
}

/// Its activity belongs to a queue of its own.
fn elsewhere(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let options = ActivityOptions {
        task_queue: Some(Arc::from("heavy")),
        ..ActivityOptions::default()
    };
    match activation {
        Activation::Start(_) => Ok(vec![activity("parse", None, options)]),
        other => one_step(other),
    }
}

fn code(reply: Option<&Reply>) -> &str {
    match reply {
        Some(Reply::Parked { reason, .. }) => &reason.code,
        other => panic!("{other:?}"),
    }
}

fn awaited(world: &mut World) -> ReplyTo {
    world.send(MessageBody::AwaitResult { run: run_id(1) })
}

#[test]
fn a_run_whose_queue_nobody_serves_is_kept_and_says_so_after_5_s() {
    let mut world = World::new(one_step);
    world.serve(&[("other", &["audit"], 1)]);
    let started = world.start_with(1, None);
    assert!(matches!(
        world.reply_to(started),
        Some(Reply::Started { .. })
    ));
    let waits = awaited(&mut world);
    world.advance(GRACE - Duration::from_millis(1));
    assert_eq!(world.reply_to(waits), None, "a worker may just be starting");
    world.advance(Duration::from_millis(1));
    assert_eq!(code(world.reply_to(waits)), "PRD1204");
    let status = world.store.describe(run_id(1)).unwrap().unwrap().status;
    assert_eq!(status, RunStatus::Parked);
    let asked_later = awaited(&mut world);
    assert_eq!(code(world.reply_to(asked_later)), "PRD1204");
}

#[test]
fn a_worker_that_comes_in_time_takes_the_run_over_a_restart_too() {
    for restarts in [false, true] {
        let mut world = World::new(one_step);
        world.serve(&[]);
        world.start_run(1);
        if restarts {
            world.restart();
        }
        let waits = awaited(&mut world);
        world.advance(GRACE / 2);
        world.serve(&[("default", &["audit"], 1)]);
        world.complete("parsed");
        assert!(matches!(
            world.reply_to(waits),
            Some(Reply::Result {
                status: ClosedStatus::Completed,
                ..
            })
        ));
    }
}

#[test]
fn a_run_waits_when_its_queue_is_no_longer_served() {
    let mut world = World::new(one_step);
    world.start_run(1);
    world.serve(&[("other", &["audit"], 1)]);
    world.complete("parsed");
    assert_eq!(world.history(run_id(1)).len(), 2, "nobody steps the run");
    world.serve(&[("default", &["audit"], 1)]);
    assert_eq!(world.history(run_id(1)).last().unwrap(), "CompleteRun");
}

#[test]
fn an_activity_of_another_queue_waits_for_a_worker_of_that_queue() {
    for restarts in [false, true] {
        let mut world = World::new(elsewhere);
        world.start_run(1);
        if restarts {
            world.restart();
            world.serve(&[("default", &["audit"], 1)]);
        }
        assert!(world.tasks.is_empty());
        world.serve(&[("default", &["audit"], 1), ("heavy", &[], 1)]);
        assert_eq!(
            world.tasks[0].route,
            Route::TaskQueue(Arc::from("heavy")),
            "restarts: {restarts}"
        );
        world.complete("parsed");
        assert_eq!(world.history(run_id(1)).last().unwrap(), "CompleteRun");
    }
}
