//! A start that brings an update: no crash leaves a run without it, and none doubles it.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{MessageBody, Reply, StartRun, StartUpdate, encode_message};
use perdure_history::{Command, MessageId};
use perdure_machine::Activation;
use perdure_store::{InboxMessage, RunStatus, Store};

use support::crashes::killed_everywhere;
use support::{World, payload, run_id};

/// Answers every update, and goes on.
fn answers(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Update { event_n, .. } => vec![Command::CompleteUpdate {
            event_n: *event_n,
            result: payload("answered"),
        }],
        _ => Vec::new(),
    })
}

/// Fails at once, so that the run is parked before it has taken anything.
fn broken(_: &Activation) -> Result<Vec<Command>, &'static str> {
    Err("a bug")
}

fn start(world: &World, number: u8) -> MessageBody {
    MessageBody::Start(Box::new(StartRun {
        update: Some(StartUpdate {
            id: MessageId("charge-1".to_owned()),
            name: "charge".to_owned(),
            arguments: payload("arguments"),
        }),
        ..world.start_of(number, "order")
    }))
}

fn send(world: &mut World) {
    let body = start(world, 1);
    world.send_as("start-1", body);
}

/// Leaves the start in the inbox, as a client does that finds no engine.
fn post(world: &mut World, number: u8) {
    let message_id = MessageId(format!("start-{number}"));
    let body = encode_message(&message_id, &start(world, number), world.now).unwrap();
    let message = InboxMessage {
        run: None,
        message_id,
        received_at: world.now,
        body,
    };
    assert!(world.store.post(&message).unwrap());
}

const ANSWERED: [&str; 3] = ["RunStarted", "UpdateAccepted", "CompleteUpdate"];

fn assert_has_taken_it(world: &World, number: u8, case: &str) {
    assert_eq!(world.history(run_id(number)), ANSWERED, "{case}");
    let inbox = world.inbox();
    assert!(inbox.is_empty(), "{case}: {inbox:?}");
}

#[test]
fn a_run_never_exists_without_the_update_that_it_was_started_with() {
    killed_everywhere(answers, 2, send, |world, case| {
        if world.status(run_id(1)).is_some() {
            assert_has_taken_it(world, 1, case);
        }
        // The client heard nothing, and sends the same again.
        send(world);
        world.advance(Duration::from_secs(60));
        assert_has_taken_it(world, 1, case);
    });
}

#[test]
fn a_start_that_waits_for_an_engine_brings_its_update() {
    let live = |world: &mut World| {
        post(world, 1);
        let stop = world.stops_at;
        world.restart();
        (world.stops_at, world.appends) = (stop, 0);
        world.host(&["audit"]);
    };
    killed_everywhere(answers, 2, live, |world, case| {
        assert_has_taken_it(world, 1, case);
    });
}

#[test]
fn a_parked_run_keeps_the_update_that_it_was_started_with() {
    let mut world = World::new(broken);
    send(&mut world);
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Parked));
    world.workflow = answers;
    world.restart();
    world.host(&["audit"]);
    assert_has_taken_it(&world, 1, "after the deploy");
}

#[test]
fn an_open_run_takes_the_update_of_a_start_that_finds_its_id_taken() {
    let mut world = World::new(answers);
    world.start_named(1, "order");
    let body = start(&world, 2);
    let to = world.send_as("start-2", body);
    let open = Reply::AlreadyStarted { run: run_id(1) };
    assert_eq!(world.reply_to(to), Some(&open));
    assert_has_taken_it(&world, 1, "live");
    assert_eq!(world.status(run_id(2)), None);
}

#[test]
fn what_waited_for_an_engine_reaches_the_open_run_once_whatever_crashes() {
    let live = |world: &mut World| {
        let stop = world.stops_at.take();
        world.start_named(1, "order");
        post(world, 2);
        world.restart();
        (world.stops_at, world.appends) = (stop, 0);
        world.host(&["audit"]);
        world.advance(Duration::from_secs(60));
    };
    let mut world = World::new(answers);
    live(&mut world);
    assert_has_taken_it(&world, 1, "no crash");
    for durable in [false, true] {
        let mut world = World::new(answers);
        world.stops_at = Some((1, durable));
        live(&mut world);
        assert!(world.stopped);
        world.restart();
        world.host(&["audit"]);
        world.advance(Duration::from_secs(60));
        assert_has_taken_it(&world, 1, &format!("durable: {durable}"));
        assert_eq!(world.status(run_id(2)), None);
    }
}

#[test]
fn a_start_that_comes_again_after_its_run_closed_brings_nothing_to_another() {
    let mut world = World::new(answers);
    send(&mut world);
    let reason = "by hand".to_owned();
    world.send(MessageBody::Terminate {
        run: run_id(1),
        reason,
    });
    world.start_named(2, "order");
    let body = start(&world, 1);
    let to = world.send_as("start-1", body);
    let made = Reply::Started { run: run_id(1) };
    assert_eq!(world.reply_to(to), Some(&made));
    assert_eq!(world.history(run_id(2)), ["RunStarted"]);
    assert!(world.inbox().is_empty());
}
