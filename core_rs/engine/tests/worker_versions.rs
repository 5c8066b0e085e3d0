//! Versions of workers: where runs go, where their activities wait, and moves whatever crashes.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Build, EngineOptions, Input, MessageBody, Reply, ReplyTo, ServedQueue};
use perdure_history::{Version, WorkerVersion};
use perdure_machine::Activation;
use perdure_store::{AppendError, RunStatus};
use support::{World, complete, payload, run_id};

/// A worker of a build, with as many slots and sessions.
fn worker(build_id: &str, pins: bool, slots: usize) -> ServedQueue {
    let audit: Arc<str> = Arc::from("audit");
    ServedQueue {
        task_queue: Arc::from("default"),
        workflow_types: vec![Arc::clone(&audit)],
        maximum_concurrent_activities: slots,
        maximum_concurrent_sessions: slots,
        version: Some(Arc::new(Build {
            deployment: Arc::from("shop"),
            build_id: Arc::from(build_id),
        })),
        pinned_types: if pins { vec![audit] } else { vec![] },
        ..ServedQueue::default()
    }
}

fn world(workflow: support::Workflow, served: &[ServedQueue]) -> World {
    let version = Some(Version {
        engine: "0.1.0".to_owned(),
        language: "cpython-3.11".to_owned(),
        deployment: None,
    });
    let options = EngineOptions {
        version,
        ..EngineOptions::default()
    };
    let mut world = World::with_options(workflow, options);
    serve(&mut world, served);
    world
}

fn serve(world: &mut World, served: &[ServedQueue]) {
    world.input(Input::Hosted(served.to_vec()));
}

fn pin(build_id: &str) -> WorkerVersion {
    WorkerVersion {
        deployment: "shop".to_owned(),
        build_id: build_id.to_owned(),
        pinned: true,
    }
}

/// The same message however often: a client sends it again that heard nothing.
fn move_to(world: &mut World, build_id: &str) -> ReplyTo {
    let (run, pinned_to) = (run_id(1), Some(pin(build_id)));
    world.send_as("move", MessageBody::UpdateOptions { run, pinned_to })
}

fn count(world: &World, word: &str) -> usize {
    let history = world.history(run_id(1));
    history.iter().filter(|other| *other == word).count()
}

fn patient(activation: &Activation) -> Result<Vec<perdure_history::Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        _ => vec![],
    })
}

#[test]
fn a_move_that_is_sent_again_after_a_crash_is_accepted_and_recorded_once() {
    for (durable, live) in [(true, false), (true, true), (false, false), (false, true)] {
        let workers = [worker("a", false, 1), worker("b", false, 1)];
        let mut world = world(patient, &workers);
        world.start_run(1);
        world.stops_at = Some((world.appends + 1, durable));
        move_to(&mut world, "a");
        assert!(world.stopped);
        world.restart();
        serve(&mut world, &workers);
        if live {
            world.signal(run_id(1), "wake up");
        }
        let to = move_to(&mut world, "a");
        let case = format!("durable {durable}, live {live}");
        assert_eq!(world.reply_to(to), Some(&Reply::Accepted), "{case}");
        assert_eq!(count(&world, "OptionsUpdated"), 1, "{case}");
        world.signal(run_id(1), "end");
        assert_eq!(world.status(run_id(1)), Some(RunStatus::Completed));
        assert_eq!(world.inbox(), []);
    }
}

#[test]
fn a_double_of_a_move_is_answered_when_the_move_is_durable() {
    let mut world = world(patient, &[worker("a", false, 1)]);
    world.start_run(1);
    world.refusals = vec![AppendError::NoSpace];
    let senders = [move_to(&mut world, "a"), move_to(&mut world, "a")];
    for to in senders {
        assert_eq!(world.reply_to(to), None, "nothing is durable");
    }
    world.advance(Duration::from_secs(1));
    for to in senders {
        assert_eq!(world.reply_to(to), Some(&Reply::Accepted));
    }
    assert_eq!(count(&world, "OptionsUpdated"), 1);
    let late = move_to(&mut world, "a");
    assert_eq!(world.reply_to(late), Some(&Reply::Accepted));
    assert_eq!(count(&world, "OptionsUpdated"), 1);
}
