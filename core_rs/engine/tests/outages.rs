//! What comes together after an outage: repeated starts, deadlines that passed, other versions
//! (semantics.md A3, A9; design laws 5 and 10).

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{
    EngineOptions, Input, Message, MessageBody, Reply, StartRun, Stopped, encode_message,
};
use perdure_history::{ActivityOptions, Command, Event, MessageId, RecordBody, Site, Version};
use perdure_machine::Activation;
use perdure_machine::effect::ClosedStatus;
use perdure_store::{AppendError, InboxMessage, Store};
use support::{World, activity, at, complete, payload, run_id};

fn timer(seconds: i64) -> Command {
    Command::StartTimer {
        fire_at: at(seconds),
        site: Arc::new(Site {
            file: "audit.py".into(),
            line: 3,
            function: "audit".into(),
            source_hash: 5,
        }),
    }
}

/// Sleeps until 1,010 s, then ends.
fn sleeper(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![timer(1_010)],
        Activation::FireTimer { .. } => vec![complete("slept")],
        _ => vec![],
    })
}

/// Ends at the signal `end`.
fn listener(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![complete("ended")]
        }
        _ => vec![],
    })
}

/// Begins a timer at each signal, and ends at the second with a last one of the same line.
fn armer(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Signal { arguments, .. } if *arguments == payload("end") => {
            vec![timer(9_999), complete("ended")]
        }
        Activation::Signal { .. } => vec![timer(9_999)],
        _ => vec![],
    })
}

fn start(world: &mut World, id: &str, run: u8, workflow_id: &str) -> perdure_engine::ReplyTo {
    let start = StartRun {
        run: run_id(run),
        namespace: "default".to_owned(),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Arc::from("audit"),
        task_queue: "default".to_owned(),
        arguments: payload("arguments"),
        seed: 7,
        run_timeout: None,
        memo: Vec::new(),
        headers: Vec::new(),
        chain: perdure_history::Chain::default(),
        parent: None,
        signal: None,
        search_attributes: Vec::new(),
        id_policy: perdure_history::IdPolicy::default(),
        priority: perdure_history::Priority::default(),
        update: None,
    };
    world.send_as(id, MessageBody::Start(Box::new(start)))
}

fn status_of(world: &mut World, run: u8) -> ClosedStatus {
    match world.result(run_id(run)) {
        Some(Reply::Result { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

/// Leaves a signal in the inbox, as another process does while no engine runs.
fn post_signal(world: &mut World, id: &str, seconds: i64) {
    let (run, received_at) = (run_id(1), at(seconds));
    let message_id = MessageId(id.to_owned());
    let body = MessageBody::Signal {
        run,
        name: "go".to_owned(),
        arguments: payload(id),
    };
    let body = encode_message(&message_id, &body, received_at).unwrap();
    let posted = InboxMessage {
        run: Some(run),
        message_id,
        received_at,
        body,
    };
    assert!(world.store.post(&posted).unwrap());
}

#[test]
fn a3_a_start_repeated_after_a_restart_is_known_by_its_message() {
    let mut world = World::new(sleeper);
    start(&mut world, "start", 1, "audit-1");
    world.restart();
    world.host(&["audit"]);
    let again = start(&mut world, "start", 2, "audit-1");
    assert_eq!(
        world.reply_to(again),
        Some(&Reply::Started { run: run_id(1) })
    );
    let other = start(&mut world, "another start", 3, "audit-1");
    assert_eq!(
        world.reply_to(other),
        Some(&Reply::AlreadyStarted { run: run_id(1) })
    );
    assert_eq!(world.engine.open_runs(), 1);
}

#[test]
fn a3_a_repeated_start_finds_its_closed_run_though_the_id_is_taken_again() {
    let mut world = World::new(listener);
    start(&mut world, "start", 1, "audit-1");
    world.signal(run_id(1), "end");
    start(&mut world, "later start", 2, "audit-1");
    for _ in 0..2 {
        let again = start(&mut world, "start", 3, "audit-1");
        assert_eq!(
            world.reply_to(again),
            Some(&Reply::Started { run: run_id(1) })
        );
        world.restart();
        world.host(&["audit"]);
    }
    assert_eq!(world.engine.open_runs(), 1);
}

#[test]
fn messages_received_before_the_run_timeout_are_delivered_before_it() {
    let mut world = World::new(listener);
    world.start_with(1, Some(Duration::from_secs(60)));
    post_signal(&mut world, "before", 1_059);
    post_signal(&mut world, "after", 1_060);
    world.now = at(1_100);
    world.restart();
    world.advance(Duration::from_secs(1));
    world.host(&["audit"]);
    assert_eq!(
        world.history(run_id(1)),
        ["RunStarted", "SignalReceived", "RunTimedOut"]
    );
    assert_eq!(status_of(&mut world, 1), ClosedStatus::TimedOut);
    assert_eq!(world.store.inbox(None).unwrap(), []);
}

#[test]
fn a_message_received_before_the_run_timeout_may_end_the_run_otherwise() {
    let mut world = World::new(listener);
    world.start_with(1, Some(Duration::from_secs(60)));
    post_signal(&mut world, "end", 1_059);
    world.now = at(1_100);
    world.restart();
    world.advance(Duration::from_secs(1));
    world.host(&["audit"]);
    assert_eq!(status_of(&mut world, 1), ClosedStatus::Completed);
}

#[test]
fn a_timer_due_before_the_run_timeout_fires_before_it() {
    for (timeout_s, status) in [(11, ClosedStatus::Completed), (9, ClosedStatus::TimedOut)] {
        let mut world = World::new(sleeper);
        world.start_with(1, Some(Duration::from_secs(timeout_s)));
        world.now = at(1_100);
        world.restart();
        world.host(&["audit"]);
        assert_eq!(status_of(&mut world, 1), status);
    }
}

#[test]
fn a_message_left_in_the_inbox_of_a_live_engine_bears_the_time_of_its_receipt_there() {
    let mut world = World::new(listener);
    world.start_with(1, Some(Duration::from_secs(60)));
    // The engine hears of it only after the deadline, in one look with the timeout itself.
    world.now = at(1_100);
    let message = Message {
        message_id: MessageId("end".to_owned()),
        reply_to: None,
        body: MessageBody::Signal {
            run: run_id(1),
            name: "go".to_owned(),
            arguments: payload("end"),
        },
    };
    world.input(Input::Posted {
        message,
        received_at: at(1_050),
    });
    assert_eq!(status_of(&mut world, 1), ClosedStatus::Completed);
}

#[test]
fn a9_without_a_host_for_the_type_the_engine_closes_the_run_alone() {
    let mut world = World::new(listener);
    world.start_with(1, Some(Duration::from_secs(60)));
    post_signal(&mut world, "before", 1_059);
    world.now = at(1_100);
    world.restart();
    world.advance(Duration::from_secs(1));
    // Nobody has said yet what is hosted: the message may still be delivered.
    assert_eq!(world.history(run_id(1)), ["RunStarted"]);
    world.host(&["another type"]);
    assert_eq!(world.history(run_id(1)), ["RunStarted", "RunTimedOut"]);
    assert_eq!(world.store.inbox(None).unwrap(), []);
}

fn version(engine: &str, language: &str) -> EngineOptions {
    EngineOptions {
        version: Some(Version {
            engine: engine.to_owned(),
            language: language.to_owned(),
            deployment: None,
        }),
        ..EngineOptions::default()
    }
}

#[test]
fn a_new_version_is_recorded_once_at_the_first_turn_that_it_runs() {
    let mut world = World::with_options(listener, version("0.1.0", "cpython-3.11"));
    world.start_run(1);
    world.restart();
    world.host(&["audit"]);
    world.signal(run_id(1), "same version");
    let restart_on = |world: &mut World, language: &str| {
        world.options.version = version("0.2.0", language).version;
        world.restart();
        world.host(&["audit"]);
    };
    restart_on(&mut world, "cpython-3.12");
    assert_eq!(world.history(run_id(1)).len(), 2, "nothing has been run");
    for id in ["a", "b"] {
        world.signal(run_id(1), id);
    }
    restart_on(&mut world, "cpython-3.12");
    world.signal(run_id(1), "end");
    assert_eq!(
        world.history(run_id(1)),
        [
            "RunStarted",
            "SignalReceived",
            "VersionChanged",
            "SignalReceived",
            "SignalReceived",
            "SignalReceived",
            "CompleteRun"
        ]
    );
    let RecordBody::Event(Event::RunStarted(started)) = &world.records(run_id(1))[0].body else {
        panic!("no start");
    };
    assert_eq!(started.version, version("0.1.0", "cpython-3.11").version);
}

#[test]
fn a_mismatch_names_the_version_that_ran_the_history() {
    let mut world = World::with_options(sleeper, version("0.1.0", "cpython-3.11"));
    world.start_run(1);
    world.workflow = |_| Ok(vec![activity("other", None, ActivityOptions::default())]);
    world.options.version = version("0.2.0", "cpython-3.12").version;
    world.restart();
    world.host(&["audit"]);
    world.signal(run_id(1), "go");
    let parked = world.engine.describe(run_id(1)).unwrap().parked.unwrap();
    assert!(
        parked.message.ends_with(
            "; perdure 0.1.0 on cpython-3.11 began the run, \
             perdure 0.2.0 on cpython-3.12 runs it now"
        ),
        "{}",
        parked.message
    );
    assert_eq!(world.history(run_id(1)), ["RunStarted", "StartTimer"]);
    // Corrected code takes it up, and only then is the new version told.
    world.workflow = sleeper;
    world.host(&["audit"]);
    assert_eq!(
        world.history(run_id(1))[2..],
        ["VersionChanged", "SignalReceived"]
    );
}

#[test]
fn the_end_of_a_run_is_found_though_its_last_batch_refers_to_an_earlier_one() {
    let mut world = World::new(armer);
    world.start_run(1);
    world.signal(run_id(1), "go");
    world.signal(run_id(1), "end");
    assert_eq!(status_of(&mut world, 1), ClosedStatus::Completed);
}

#[test]
fn a_damaged_store_stops_the_engine_and_a_damaged_row_its_run_alone() {
    let mut world = World::new(sleeper);
    let reason = "a row fails its checksum".to_owned();
    let damaged = AppendError::Damaged {
        run: run_id(1),
        reason: reason.clone(),
    };
    world.refusals = vec![damaged];
    let started = world.start_with(1, None);
    assert!(
        matches!(world.reply_to(started), Some(Reply::Damaged { .. })),
        "{:?}",
        world.reply_to(started)
    );
    assert_eq!(world.engine.stopped(), None);
    world.refusals = vec![AppendError::StoreDamaged {
        reason: reason.clone(),
    }];
    world.start_with(2, None);
    assert_eq!(world.engine.stopped(), Some(&Stopped::Damaged { reason }));
}
