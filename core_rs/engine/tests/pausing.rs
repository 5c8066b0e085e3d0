//! Runs that an operator holds: no turn is taken, and nothing is lost (design.md section 6).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::pausing::StatusDetail;
use perdure_engine::{Input, Message, MessageBody, Reply, ReplyTo, encode_message};
use perdure_history::{ActivityOptions, Command, MessageId, RetryPolicy, Site};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use perdure_store::{InboxMessage, RunStatus, Store};
use support::{World, activity, at, complete, payload, run_id};

/// Runs an activity beside a timer at 1,010 s; ends at the signal `end`, breaks at `bug`.
fn busy(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let quick = ActivityOptions {
        retry_policy: RetryPolicy {
            initial_interval: Duration::from_secs(1),
            jitter: 0.0,
            ..RetryPolicy::default()
        },
        ..ActivityOptions::default()
    };
    Ok(match activation {
        Activation::Start(_) => vec![
            activity("list_files", None, quick),
            Command::StartTimer {
                fire_at: at(1_010),
                site: Arc::new(Site::default()),
            },
        ],
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        Activation::Signal { arguments, .. } if *arguments == payload("bug") => {
            return Err("a bug");
        }
        _ => vec![],
    })
}

fn pause(world: &mut World, reason: &str) -> Option<Reply> {
    let (run, reason) = (run_id(1), reason.to_owned());
    let to = world.send(MessageBody::Pause { run, reason });
    world.reply_to(to).cloned()
}

fn unpause(world: &mut World) -> Option<Reply> {
    let to = world.send(MessageBody::Unpause { run: run_id(1) });
    world.reply_to(to).cloned()
}

fn paused() -> World {
    let mut world = World::new(busy);
    world.start_run(1);
    assert_eq!(pause(&mut world, "the bank is down"), Some(Reply::Accepted));
    world
}

fn status(world: &World) -> (RunStatus, Option<String>) {
    let found = world.store.describe(run_id(1)).unwrap().unwrap();
    let detail = StatusDetail::decode(&found.status_detail);
    (found.status, detail.paused)
}

fn restart(world: &mut World) {
    world.restart();
    world.host(&["audit"]);
}

const AT_WORK: [&str; 3] = ["RunStarted", "ScheduleActivity:list_files", "StartTimer"];
const WHAT_CAME: [&str; 4] = [
    "ActivityCompleted",
    "SignalReceived",
    "TimerFired",
    "SignalReceived",
];

/// A result, a signal, a timer and a signal, in this order.
fn meanwhile(world: &mut World) {
    world.complete("done");
    world.advance(Duration::from_secs(5));
    world.signal(run_id(1), "go");
    world.advance(Duration::from_secs(20));
    world.signal(run_id(1), "on");
}

#[test]
fn what_comes_while_a_run_is_paused_waits_and_comes_in_order() {
    for restarts in [false, true] {
        let mut world = paused();
        meanwhile(&mut world);
        assert_eq!(world.history(run_id(1)), AT_WORK, "no turn is taken");
        assert_eq!(
            world.inbox().len(),
            3,
            "the result and the signals are kept"
        );
        if restarts {
            restart(&mut world);
        }
        let reason = "the bank is down".to_owned();
        assert_eq!(status(&world), (RunStatus::Paused, Some(reason)));
        assert_eq!(unpause(&mut world), Some(Reply::Accepted));
        assert_eq!(status(&world), (RunStatus::Running, None));
        let history = world.history(run_id(1));
        let came: Vec<_> = history.iter().skip(3).collect();
        assert_eq!(came, WHAT_CAME, "restarts {restarts}");
        assert!(world.inbox().is_empty());
    }
}

#[test]
fn attempts_and_their_retries_go_on_while_a_run_is_paused() {
    for live in [false, true] {
        let mut world = paused();
        if live {
            // A query makes the run live again.
            restart(&mut world);
            world.tasks.clear();
            query(&mut world);
        } else {
            world.fail("Broken");
        }
        world.advance(Duration::from_secs(5));
        let attempts: Vec<_> = world.tasks.iter().map(|task| task.id.attempt).collect();
        assert_eq!(attempts, [2], "live {live}");
        let history = world.history(run_id(1));
        assert_eq!(history.last().unwrap(), "ActivityAttemptFailed");
        assert_eq!(unpause(&mut world), Some(Reply::Accepted));
        world.complete("done");
        let history = world.history(run_id(1));
        assert_eq!(history.last().unwrap(), "ActivityCompleted", "live {live}");
    }
}

fn query(world: &mut World) -> Option<Reply> {
    let to = world.send(MessageBody::Query {
        run: run_id(1),
        name: "state".to_owned(),
        arguments: payload("arguments"),
    });
    world.reply_to(to).cloned()
}

#[test]
fn g12_a_paused_run_answers_queries_and_takes_nothing_for_them() {
    let mut world = paused();
    world.signal(run_id(1), "end");
    restart(&mut world);
    assert_eq!(query(&mut world), None);
    assert_eq!(world.queries.len(), 1, "the host has it");
    let waits = world.history(run_id(1));
    assert!(!waits.contains(&"SignalReceived".to_owned()), "{waits:?}");
    unpause(&mut world);
    assert_eq!(world.history(run_id(1)).last().unwrap(), "CompleteRun");
}

#[test]
fn a_paused_run_is_terminated_and_times_out() {
    let mut world = World::new(busy);
    world.start_with(1, Some(Duration::from_secs(60)));
    pause(&mut world, "");
    world.advance(Duration::from_secs(61));
    assert_eq!(world.status(run_id(1)), Some(RunStatus::TimedOut));
    let mut world = paused();
    let (run, reason) = (run_id(1), "enough".to_owned());
    world.send(MessageBody::Terminate { run, reason });
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Terminated));
    let status = ClosedStatus::Terminated;
    let closed = Some(Reply::Closed { run, status });
    assert_eq!(pause(&mut world, "late"), closed);
    assert_eq!(unpause(&mut world), closed);
}

#[test]
fn a_pause_in_the_middle_of_a_turn_comes_after_it() {
    let mut world = World::new(busy);
    world.start_run(1);
    world.holds_turns = true;
    world.signal(run_id(1), "go");
    assert_eq!(pause(&mut world, ""), None, "the turn is not over");
    let to = world.signal(run_id(1), "end");
    world.step_held();
    assert_eq!(world.reply_to(to), Some(&Reply::Accepted), "it is kept");
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Paused));
    let history = world.history(run_id(1));
    assert_eq!(history.last().unwrap(), "SignalReceived");
}

#[test]
fn a_pause_of_a_run_that_ends_in_its_turn_is_told_so() {
    let mut world = World::new(busy);
    world.start_run(1);
    world.holds_turns = true;
    world.signal(run_id(1), "end");
    let (run, reason) = (run_id(1), String::new());
    let to = world.send(MessageBody::Pause { run, reason });
    world.step_held();
    let status = ClosedStatus::Completed;
    assert_eq!(world.reply_to(to), Some(&Reply::Closed { run, status }));
}

#[test]
fn a_parked_run_is_paused_and_tried_again_when_it_goes_on() {
    let mut world = World::new(busy);
    world.start_run(1);
    world.signal(run_id(1), "bug");
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Parked));
    pause(&mut world, "wait for the fix");
    restart(&mut world);
    let found = world.store.describe(run_id(1)).unwrap().unwrap();
    let detail = StatusDetail::decode(&found.status_detail);
    assert_eq!(found.status, RunStatus::Paused);
    assert_eq!(detail.parked.map(|reason| reason.message).unwrap(), "a bug");
    world.workflow = |_| Ok(vec![]);
    world.send(MessageBody::Unpark { run: run_id(1) });
    world.advance(Duration::from_secs(3_600));
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Paused));
    world.workflow = |activation| match activation {
        Activation::Signal { .. } => Ok(vec![complete("mended")]),
        other => busy(other),
    };
    unpause(&mut world);
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Completed));
}

/// A pause that another process posts, and a death of the engine at the write of it.
#[test]
fn j_killed_at_the_write_of_a_pause_it_is_done_once() {
    for durable in [false, true] {
        let mut world = World::new(busy);
        world.start_run(1);
        let (run, reason) = (run_id(1), "posted".to_owned());
        let message_id = MessageId("pause-1".to_owned());
        let body = MessageBody::Pause { run, reason };
        let waiting = InboxMessage {
            run: Some(run),
            message_id: message_id.clone(),
            received_at: world.now,
            body: encode_message(&message_id, &body, world.now).unwrap(),
        };
        assert!(world.store.post(&waiting).unwrap());
        world.stops_at = Some((world.appends + 1, durable));
        world.input(Input::Message(Message {
            message_id,
            reply_to: Some(ReplyTo(99)),
            body,
        }));
        assert!(world.stopped);
        restart(&mut world);
        assert_eq!(
            status(&world),
            (RunStatus::Paused, Some("posted".to_owned()))
        );
        unpause(&mut world);
        assert!(!world.store.post(&waiting).unwrap(), "it is known");
        restart(&mut world);
        assert_eq!(status(&world), (RunStatus::Running, None));
        assert!(world.inbox().is_empty());
    }
}
