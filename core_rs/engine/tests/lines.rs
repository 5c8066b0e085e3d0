//! Lines: which of the attempts that wait leaves first, and that a restart does not change it.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use perdure_engine::{Input, MessageBody, ServiceReport, StartRun};
use perdure_history::{ActivityOptions, Command, Priority, RecordBody};
use perdure_machine::Activation;
use support::{World, activity, run_id};

fn priority(key: Option<u8>, fairness: Option<&str>) -> Priority {
    Priority {
        priority_key: key,
        fairness_key: fairness.map(Arc::from),
        fairness_weight: None,
    }
}

fn call(name: &str, key: Option<u8>, fairness: Option<&str>) -> Command {
    let options = ActivityOptions {
        priority: priority(key, fairness),
        ..ActivityOptions::default()
    };
    activity(name, None, options)
}

fn many(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![
            call("last", Some(5), None),
            call("loud-1", None, Some("loud")),
            call("loud-2", None, Some("loud")),
            call("loud-3", None, Some("loud")),
            call("quiet-1", None, Some("quiet")),
            call("quiet-2", Some(3), Some("quiet")),
            call("first", Some(1), None),
        ],
        _ => vec![],
    })
}

/// A single attempt, with a service that tells how many it takes.
fn one_of_a_service(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => {
            vec![activity(
                "parse",
                Some("goaudit"),
                ActivityOptions::default(),
            )]
        }
        _ => vec![],
    })
}

fn take_all(world: &mut World, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(world.tasks[0].activity.to_string());
        world.complete("done");
    }
    assert!(world.tasks.is_empty());
    names
}

const ORDER: [&str; 7] = [
    "first", "loud-1", "quiet-1", "loud-2", "quiet-2", "loud-3", "last",
];

#[test]
fn attempts_leave_by_priority_then_in_turns_then_as_they_came_also_after_a_restart() {
    for restarts in [false, true] {
        let mut world = World::new(many);
        world.serve(&[("default", &["audit"], 0)]);
        world.start_run(1);
        if restarts {
            world.restart();
        }
        world.serve(&[("default", &["audit"], 1)]);
        assert_eq!(take_all(&mut world, 7), ORDER, "restarts: {restarts}");
    }
}

#[test]
fn what_a_call_does_not_say_it_inherits_from_its_run() {
    let mut world = World::new(many);
    let start = StartRun {
        priority: Priority {
            priority_key: Some(2),
            fairness_key: Some(Arc::from("tenant-7")),
            fairness_weight: Some(2.0),
        },
        ..world.start_of(1, "workflow-1")
    };
    world.send(MessageBody::Start(Box::new(start)));
    let priorities: Vec<_> = world
        .records(run_id(1))
        .into_iter()
        .filter_map(|record| match record.body {
            RecordBody::Command(Command::ScheduleActivity(asked)) => {
                Some(asked.options.priority.clone())
            }
            _ => None,
        })
        .collect();
    let inherited = Priority {
        priority_key: Some(5),
        fairness_key: Some(Arc::from("tenant-7")),
        fairness_weight: Some(2.0),
    };
    assert_eq!(priorities[0], inherited);
    // The weight is that of the key, and goes with it.
    assert_eq!(priorities[1], priority(Some(2), Some("loud")));
}

#[test]
fn who_came_first_does_not_depend_on_what_is_read_first_after_a_restart() {
    let mut world = World::new(one_of_a_service);
    let report = |slots| {
        Input::Service(ServiceReport {
            service: Arc::from("goaudit"),
            slots,
            activities: Vec::new(),
            held: Vec::new(),
        })
    };
    world.input(report(0));
    // In the order of their ids they would be the other way round.
    for number in (1..=20).rev() {
        world.start_run(number);
        world.advance(std::time::Duration::from_millis(1));
    }
    assert!(world.tasks.is_empty());
    world.restart();
    world.host(&["audit"]);
    world.input(report(20));
    let order: Vec<_> = world.tasks.iter().map(|task| task.id.run).collect();
    let expected: Vec<_> = (1..=20).rev().map(run_id).collect();
    assert_eq!(order, expected);
}

#[test]
fn how_long_a_line_is_and_what_those_in_it_wait_for_is_told() {
    let mut world = World::new(many);
    world.serve(&[("default", &["audit"], 1)]);
    world.start_run(1);
    let queues = world.engine.task_queues();
    assert_eq!(queues.len(), 1);
    let queue = &queues[0];
    assert_eq!((queue.slots, queue.running, queue.is_served), (1, 1, true));
    let backlog: Vec<_> = queue.backlog.clone().into_iter().collect();
    assert_eq!(backlog, [(1, 1), (3, 5)], "the one of 5 came first");
    let reason = "all 1 slots of the task queue default are taken".to_owned();
    assert_eq!(
        queue.reasons.clone().into_iter().collect::<Vec<_>>(),
        [(reason, 6)]
    );
}
