//! A payload that the codec refuses: its sender is told, or its run is parked with the reason. No
//! other run hears of it.
#![allow(clippy::unwrap_used, reason = "a broken world is a failed test")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use perdure_engine::{EngineOptions, MessageBody, PayloadCodec, Reply, Seal, TaskOutcome};
use perdure_history::{ActivityOptions, Event, Failure, FailureKind, LocalOptions, RecordBody};
use perdure_machine::Activation;
use perdure_store::RunStatus;
use support::{World, activity, complete, failure, payload, run_id};

/// Refuses every payload in which `poison` stands, until it is cured.
#[derive(Debug, Default)]
struct Picky {
    cured: AtomicBool,
}

impl PayloadCodec for Picky {
    fn encode(&self, plain: &[Bytes]) -> Result<Vec<Bytes>, String> {
        let refused = |each: &Bytes| each.windows(6).any(|word| word == b"poison");
        if !self.cured.load(Ordering::Relaxed) && plain.iter().any(refused) {
            return Err("no poison".to_owned());
        }
        let marked = |each: &Bytes| [&[0xc1][..], each].concat().into();
        Ok(plain.iter().map(marked).collect())
    }

    fn decode(&self, encoded: &[Bytes]) -> Vec<Bytes> {
        encoded.iter().map(|each| each.slice(1..)).collect()
    }
}

fn world(workflow: support::Workflow) -> (World, Arc<Picky>) {
    let codec = Arc::new(Picky::default());
    let options = EngineOptions {
        seal: Seal::new(Some(Arc::clone(&codec) as _)),
        ..EngineOptions::default()
    };
    (World::with_options(workflow, options), codec)
}

/// Calls an activity when it is told to, and gives back its result.
fn calls(activation: &Activation) -> Result<Vec<perdure_history::Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { .. } => vec![activity("work", None, ActivityOptions::default())],
        Activation::ResolveActivity { .. } => vec![complete("done")],
        _ => vec![],
    })
}

/// Returns what cannot be stored once it is signalled.
fn returns(activation: &Activation) -> Result<Vec<perdure_history::Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { .. } => vec![complete("poison")],
        _ => vec![],
    })
}

/// The reason for which a run is parked, if it is.
fn parked(world: &mut World, number: u8) -> Option<String> {
    match world.result(run_id(number)) {
        Some(Reply::Parked { reason, .. }) => Some(format!("{} {}", reason.code, reason.message)),
        _ => None,
    }
}

const REASON: &str = "PRD1504 the payload codec cannot encode: no poison";

#[test]
fn a_result_that_is_refused_parks_its_run_alone_and_is_recorded_once_it_can_be() {
    let (mut world, codec) = world(returns);
    let (run, other) = (world.start_run(1), world.start_run(2));
    let sent = world.signal(run, "go");
    assert_eq!(world.engine.stopped(), None);
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted), "it is kept");
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    assert_eq!(world.status(run), Some(RunStatus::Parked));
    assert_eq!(world.history(run), ["RunStarted"]);
    let sent = world.send(MessageBody::Terminate {
        run: other,
        reason: String::new(),
    });
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    world.restart();
    world.host(&["audit"]);
    assert_eq!(world.engine.stopped(), None);
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    codec.cured.store(true, Ordering::Relaxed);
    world.send(MessageBody::Unpark { run });
    assert_eq!(
        world.history(run),
        ["RunStarted", "SignalReceived", "CompleteRun"]
    );
}

#[test]
fn what_comes_in_and_is_refused_is_told_to_its_sender_and_changes_nothing() {
    let (mut world, _) = world(calls);
    let mut start = world.start_of(1, "a");
    start.arguments = payload("poison");
    let sent = world.send(MessageBody::Start(Box::new(start)));
    let reason = "no poison".to_owned();
    let refused = Reply::Unstorable { reason };
    assert_eq!(world.reply_to(sent), Some(&refused));
    assert_eq!(world.engine.open_runs(), 0);
    let run = world.start_run(2);
    let sent = world.signal(run, "poison");
    assert_eq!(world.reply_to(sent), Some(&refused));
    let sent = world.signal(run, "go");
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    assert_eq!(
        world.history(run),
        ["RunStarted", "SignalReceived", "ScheduleActivity:work"]
    );
    assert_eq!(world.engine.stopped(), None);
}

#[test]
fn a_result_of_an_activity_waits_in_memory_and_is_made_again_after_a_restart() {
    let (mut world, codec) = world(calls);
    let run = world.start_run(1);
    world.signal(run, "go");
    world.complete("poison");
    assert_eq!(world.engine.stopped(), None);
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    assert_eq!(world.inbox().len(), 0);
    // Another message is kept while the result cannot be.
    let sent = world.signal(run, "more");
    assert_eq!(world.reply_to(sent), Some(&Reply::Accepted));
    world.advance(Duration::from_secs(60));
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    codec.cured.store(true, Ordering::Relaxed);
    world.restart();
    world.host(&["audit"]);
    world.advance(Duration::from_secs(60));
    assert!(
        !world.tasks.is_empty(),
        "the attempt was lost: another follows"
    );
    world.complete("fine");
    assert_eq!(world.status(run), Some(RunStatus::Completed));
}

#[test]
fn a_result_of_an_activity_is_delivered_once_the_codec_takes_it() {
    let (mut world, codec) = world(calls);
    let run = world.start_run(1);
    world.signal(run, "go");
    world.complete("poison");
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    codec.cured.store(true, Ordering::Relaxed);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.status(run), Some(RunStatus::Completed));
    assert_eq!(world.history(run).len(), 5);
}

#[test]
fn details_of_a_failed_attempt_are_left_out_and_the_next_attempt_follows() {
    let (mut world, _) = world(calls);
    let run = world.start_run(1);
    world.signal(run, "go");
    let task = world.tasks.remove(0);
    let failed = Failure {
        kind: FailureKind::Application {
            type_name: "Busy".to_owned(),
            details: Some(payload("poison")),
            non_retryable: false,
            next_retry_delay: None,
        },
        ..failure("Busy")
    };
    world.report(&task, TaskOutcome::Failed { failure: failed });
    world.advance(Duration::from_secs(10));
    assert_eq!(world.engine.stopped(), None);
    world.complete("fine");
    assert_eq!(world.status(run), Some(RunStatus::Completed));
    let told = world
        .records(run)
        .into_iter()
        .find_map(|record| match record.body {
            RecordBody::Event(Event::ActivityAttemptFailed { failure, .. }) => {
                Some(failure.message)
            }
            _ => None,
        });
    assert_eq!(told.as_deref(), Some(" (details left out: no poison)"));
}

#[test]
fn progress_that_is_refused_parks_its_run_and_the_activity_goes_on() {
    let (mut world, _) = world(calls);
    let run = world.start_run(1);
    world.signal(run, "go");
    world.advance(Duration::from_secs(20));
    let task = world.tasks.first().unwrap().clone();
    let details = Some(payload("poison"));
    world.report(&task, TaskOutcome::Heartbeat { details });
    assert_eq!(world.engine.stopped(), None);
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    world.advance(Duration::from_secs(60));
    world.complete("fine");
    assert_eq!(world.status(run), Some(RunStatus::Completed));
}

/// Calls a local activity, and another with what it gave.
fn calls_locally(activation: &Activation) -> Result<Vec<perdure_history::Command>, &'static str> {
    let local = || ActivityOptions {
        local: Some(LocalOptions {
            retry_threshold: Duration::from_secs(1),
            recorded_first: false,
        }),
        ..ActivityOptions::default()
    };
    Ok(match activation {
        Activation::Start(_) => vec![activity("first", None, local())],
        Activation::ResolveActivity { command_n: 2, .. } => {
            vec![activity("second", None, local())]
        }
        Activation::ResolveActivity { .. } => vec![complete("done")],
        _ => vec![],
    })
}

#[test]
fn an_open_turn_is_written_as_far_as_it_can_be() {
    let (mut world, codec) = world(calls_locally);
    let run = world.start_run(1);
    world.complete("fine");
    world.complete("poison");
    assert_eq!(world.engine.stopped(), None);
    assert_eq!(parked(&mut world, 1).as_deref(), Some(REASON));
    codec.cured.store(true, Ordering::Relaxed);
    world.advance(Duration::from_secs(60));
    assert_eq!(world.status(run), Some(RunStatus::Completed));
}
