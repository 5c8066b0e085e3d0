//! A start that brings a signal: the open run of its id has it before the sender hears, whatever
//! crashes, and has it once.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use perdure_engine::{MessageBody, Reply, StartRun, encode_message};
use perdure_history::{
    Command, Event, IdConflictPolicy, IdPolicy, MessageId, RecordBody, StartSignal,
};
use perdure_machine::Activation;
use perdure_store::{InboxMessage, RunStatus, Store};

use support::crashes::killed_everywhere;
use support::{World, payload, run_id};

const TAKEN: [&str; 2] = ["RunStarted", "SignalReceived"];

/// Takes every signal, and goes on.
fn listens(_: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(Vec::new())
}

/// Begins, and fails at its first signal.
fn breaks_at_a_signal(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    match activation {
        Activation::Signal { .. } => Err("a bug"),
        _ => Ok(Vec::new()),
    }
}

fn start(world: &World, number: u8, conflict: IdConflictPolicy) -> MessageBody {
    MessageBody::Start(Box::new(StartRun {
        signal: Some(StartSignal {
            name: "say".to_owned(),
            arguments: payload("hello"),
        }),
        id_policy: IdPolicy {
            conflict,
            ..IdPolicy::default()
        },
        ..world.start_of(number, "order")
    }))
}

/// Leaves the start in the inbox, as a client does that finds no engine and goes away.
fn post(world: &mut World) {
    let message_id = MessageId("start-2".to_owned());
    let body = start(world, 2, IdConflictPolicy::UseExisting);
    let body = encode_message(&message_id, &body, world.now).unwrap();
    let message = InboxMessage {
        run: None,
        message_id,
        received_at: world.now,
        body,
    };
    assert!(world.store.post(&message).unwrap());
}

/// A run is open; the engine that comes finds the start in the inbox.
fn waited_for_an_engine(world: &mut World) {
    let stop = world.stops_at.take();
    world.start_named(1, "order");
    post(world);
    world.restart();
    (world.stops_at, world.appends) = (stop, 0);
    world.host(&["audit"]);
    world.advance(Duration::from_secs(60));
}

fn assert_has_taken_it(world: &World, case: &str) {
    assert_eq!(world.history(run_id(1)), TAKEN, "{case}");
    assert_eq!(world.status(run_id(2)), None, "{case}");
    let inbox = world.inbox();
    assert!(inbox.is_empty(), "{case}: {inbox:?}");
}

#[test]
fn the_open_run_takes_the_signal_before_the_sender_hears() {
    let cases = [
        (
            IdConflictPolicy::UseExisting,
            Reply::Started { run: run_id(1) },
        ),
        (
            IdConflictPolicy::Fail,
            Reply::AlreadyStarted { run: run_id(1) },
        ),
    ];
    for (conflict, answer) in cases {
        let mut world = World::new(listens);
        world.start_named(1, "order");
        world.holds_turns = true;
        let body = start(&world, 2, conflict);
        let to = world.send_as("start-2", body.clone());
        assert_eq!(world.reply_to(to), None);
        world.step_held();
        assert_eq!(world.reply_to(to), Some(&answer));
        // The sender has heard nothing, and sends the same again.
        let again = world.send_as("start-2", body);
        assert_eq!(world.reply_to(again), Some(&answer));
        assert_has_taken_it(&world, "live");
    }
}

#[test]
fn what_waited_for_an_engine_reaches_the_open_run_once_whatever_crashes() {
    killed_everywhere(listens, 1, waited_for_an_engine, |world, case| {
        assert_has_taken_it(world, case);
    });
}

#[test]
fn a_sender_that_heard_nothing_of_a_crash_sends_the_same_again() {
    let live = |world: &mut World| {
        world.start_named(1, "order");
        let body = start(world, 2, IdConflictPolicy::UseExisting);
        world.send_as("start-2", body);
    };
    killed_everywhere(listens, 2, live, |world, case| {
        world.start_named(1, "order");
        let body = start(world, 2, IdConflictPolicy::UseExisting);
        let to = world.send_as("start-2", body);
        let open = Reply::Started { run: run_id(1) };
        assert_eq!(world.reply_to(to), Some(&open), "{case}");
        assert_has_taken_it(world, case);
    });
}

#[test]
fn a_parked_run_keeps_the_signal_whatever_crashes() {
    killed_everywhere(
        breaks_at_a_signal,
        1,
        waited_for_an_engine,
        |world, case| {
            assert_eq!(world.status(run_id(1)), Some(RunStatus::Parked), "{case}");
            let inbox = world.inbox();
            let kept: Vec<_> = inbox.iter().map(|message| message.run).collect();
            assert_eq!(kept, [Some(run_id(1))], "{case}");
            world.workflow = listens;
            world.restart();
            world.host(&["audit"]);
            assert_has_taken_it(world, case);
        },
    );
}

#[test]
fn a_run_that_closes_without_the_signal_leaves_it_to_another() {
    let mut world = World::new(listens);
    world.start_named(1, "order");
    world.holds_turns = true;
    world.signal(run_id(1), "before");
    let body = start(&world, 2, IdConflictPolicy::UseExisting);
    let to = world.send_as("start-2", body);
    let reason = "by hand".to_owned();
    world.send(MessageBody::Terminate {
        run: run_id(1),
        reason,
    });
    world.holds_turns = false;
    world.step_held();
    assert_eq!(world.status(run_id(1)), Some(RunStatus::Terminated));
    let made = Reply::Started { run: run_id(2) };
    assert_eq!(world.reply_to(to), Some(&made));
    let records = world.records(run_id(2));
    let RecordBody::Event(Event::RunStarted(started)) = &records[0].body else {
        unreachable!("a history begins with its start");
    };
    assert!(started.signal.is_some());
    assert!(world.inbox().is_empty());
}

#[test]
fn a_run_that_another_takes_the_place_of_gets_no_signal() {
    let mut world = World::new(listens);
    world.start_named(1, "order");
    let body = start(&world, 2, IdConflictPolicy::TerminateExisting);
    let to = world.send_as("start-2", body);
    let made = Reply::Started { run: run_id(2) };
    assert_eq!(world.reply_to(to), Some(&made));
    assert_eq!(world.history(run_id(1)), ["RunStarted", "RunTerminated"]);
    assert_eq!(world.history(run_id(2)), ["RunStarted"]);
}

#[test]
fn what_waited_for_an_engine_keeps_its_place_among_the_messages_of_the_run() {
    let mut world = World::new(listens);
    world.start_named(1, "order");
    post(&mut world);
    let body = MessageBody::Signal {
        run: run_id(1),
        name: "say".to_owned(),
        arguments: payload("later"),
    };
    let message_id = MessageId("later".to_owned());
    let later = InboxMessage {
        run: Some(run_id(1)),
        body: encode_message(&message_id, &body, world.now).unwrap(),
        message_id,
        received_at: world.now,
    };
    assert!(world.store.post(&later).unwrap());
    world.restart();
    world.host(&["audit"]);
    let records = world.records(run_id(1));
    let taken = records.iter().filter_map(|record| match &record.body {
        RecordBody::Event(Event::SignalReceived { message_id, .. }) => Some(&*message_id.0),
        _ => None,
    });
    assert_eq!(taken.collect::<Vec<_>>(), ["start-2", "later"]);
}
