//! Versions of workers: where runs go, where their activities wait, and moves whatever crashes.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{
    Build, EngineOptions, Input, MessageBody, Reply, ReplyTo, ResetRun, Route, ServedQueue,
    StartRun, line_parts,
};
use perdure_history::testing::start;
use perdure_history::{
    ActivityOptions, CancellationType, Chain, Command, Event, MessageId, ParentClosePolicy,
    RecordBody, RunId, RunStarted, SearchValue, Site, StartChild, Successor, Version,
    WorkerVersion,
};
use perdure_machine::Activation;
use perdure_store::{AppendError, RunStatus, Store};
use support::{World, activity, complete, payload, run_id};

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

/// The tasks that are out: activity, and the version in whose line it stood.
fn out(world: &World) -> Vec<(&str, Option<&str>)> {
    let tasks = world.tasks.iter();
    tasks
        .map(|task| match &task.route {
            Route::TaskQueue(line) => (&*task.activity, line_parts(line).1),
            Route::Service(_) => (&*task.activity, None),
        })
        .collect()
}

fn count(world: &World, word: &str) -> usize {
    let history = world.history(run_id(1));
    history.iter().filter(|other| *other == word).count()
}

fn patient(activation: &Activation) -> Result<Vec<Command>, &'static str> {
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

/// 2 session, 3 copy in it.
fn copies(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let of_session = |session| ActivityOptions {
        session: Some(session),
        ..ActivityOptions::default()
    };
    Ok(match activation {
        Activation::Start(_) => vec![
            activity("session", None, of_session(0)),
            activity("copy", None, of_session(2)),
        ],
        _ => vec![],
    })
}

#[test]
fn a_session_begins_with_a_worker_of_its_run_s_version() {
    for pins in [true, false] {
        let workers = [worker("a", pins, 2), worker("b", pins, 2)];
        let mut world = world(copies, &workers);
        world.start_run(1);
        let of_b = Some("shop:b");
        assert_eq!(out(&world), [("session", of_b), ("copy", of_b)], "{pins}");
        world.start_run(2);
        world.start_run(3);
        assert_eq!(world.tasks.len(), 4, "two sessions at once");
    }
}

/// A deployment sends runs to a build at its signals; another run works at the signal `work`.
fn shop(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let current = |build_id: &str| Command::SetSearchAttributes {
        attributes: vec![(
            "perdure.current_build_id".to_owned(),
            Some(SearchValue::Keyword(build_id.to_owned())),
        )],
    };
    let work = |name| activity(name, None, ActivityOptions::default());
    Ok(match activation {
        Activation::Signal { arguments, .. } => match &*arguments.0 {
            b"work" => vec![work("one"), work("two")],
            b"a" => vec![current("a")],
            b"b" | b"b again" => vec![current("b")],
            _ => vec![],
        },
        _ => vec![],
    })
}

#[test]
fn what_changes_lines_when_rules_change_leaves_at_once() {
    let system = ServedQueue {
        task_queue: Arc::from("perdure.system"),
        workflow_types: vec![Arc::from("perdure.deployment")],
        ..ServedQueue::default()
    };
    let workers = [worker("a", false, 1), worker("b", false, 1), system];
    let mut world = world(shop, &workers);
    let deployment = StartRun {
        workflow_type: Arc::from("perdure.deployment"),
        task_queue: "perdure.system".to_owned(),
        ..world.start_of(9, "perdure-deployment:shop")
    };
    world.send(MessageBody::Start(Box::new(deployment)));
    world.signal(run_id(9), "a");
    world.start_run(1);
    world.signal(run_id(1), "work");
    assert_eq!(out(&world), [("one", Some("shop:a"))]);
    world.signal(run_id(9), "b");
    world.signal(run_id(1), "go on");
    assert_eq!(count(&world, "VersionChanged"), 1);
    world.signal(run_id(9), "b again");
    let (of_a, of_b) = (Some("shop:a"), Some("shop:b"));
    assert_eq!(out(&world), [("one", of_a), ("two", of_b)]);
}

fn reserves(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![activity("reserve", None, ActivityOptions::default())],
        _ => vec![],
    })
}

#[test]
fn what_is_outstanding_in_the_copy_of_a_pinned_run_goes_to_its_version() {
    let workers = [worker("b", true, 2), worker("a", true, 2)];
    let mut world = world(reserves, &workers);
    world.start_run(1);
    world.signal(run_id(1), "go");
    let copy = run_id(60);
    let reset = ResetRun {
        from: run_id(1),
        run: copy,
        event_n: 3,
        reason: String::new(),
        results: Vec::new(),
        keeps_messages: true,
        fork: None,
    };
    // A worker that came last serves what may go anywhere.
    serve(&mut world, &[worker("a", true, 2), worker("b", true, 2)]);
    world.tasks.clear();
    world.send(MessageBody::Reset(Box::new(reset)));
    assert_eq!(out(&world), [("reserve", Some("shop:a"))]);
    let found = world.store.describe(copy).unwrap().unwrap();
    let of_a = SearchValue::Keyword("shop:a".to_owned());
    let attributes = found.visibility.search_attributes;
    assert!(attributes.iter().any(|(_, value)| *value == of_a));
}

const NEXT: u8 = 50;

/// Ends in its first turn: goes on in the next run, or leaves a child behind.
fn goes_on(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(started) if started.chain.continued_run_id.is_none() => {
            let start = RunStarted {
                message_id: MessageId("next".to_owned()),
                workflow_id: "workflow-1".to_owned(),
                origin: run_id(NEXT),
                chain: Chain {
                    continued_run_id: Some(run_id(1)),
                    ..Chain::default()
                },
                ..start("audit")
            };
            let run = run_id(NEXT);
            vec![Command::ContinueAsNew(Arc::new(Successor { run, start }))]
        }
        _ => vec![],
    })
}

fn leaves_a_child(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    let child = || StartChild {
        run: run_id(NEXT),
        workflow_id: "child".to_owned(),
        workflow_type: Arc::from("audit"),
        task_queue: "default".to_owned(),
        arguments: payload("arguments"),
        digest: payload("arguments").digest(),
        seed: 9,
        site: Arc::new(Site::default()),
        run_timeout: None,
        parent_close_policy: ParentClosePolicy::Abandon,
        cancellation_type: CancellationType::Try,
        headers: Vec::new(),
        priority: perdure_history::Priority::default(),
    };
    Ok(match activation {
        Activation::Start(started) if started.parent.is_none() => {
            vec![Command::StartChild(Arc::new(child())), complete("left")]
        }
        _ => vec![],
    })
}

/// Where the start of a run pins it.
fn begins_on(world: &World, run: RunId) -> Option<WorkerVersion> {
    match &world.records(run)[0].body {
        RecordBody::Event(Event::RunStarted(started)) => started.chain.pinned_to.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_pinned_run_begins_with_its_last_write_is_pinned_whatever_crashes() {
    let workflows: [support::Workflow; 2] = [goes_on, leaves_a_child];
    for workflow in workflows {
        for stops_at in [None, Some((1, true)), Some((2, false)), Some((2, true))] {
            let mut world = world(workflow, &[worker("a", true, 1)]);
            world.stops_at = stops_at;
            world.start_run(1);
            if stops_at.is_some() {
                assert!(world.stopped);
                world.restart();
                serve(&mut world, &[worker("a", true, 1), worker("b", true, 1)]);
            }
            let next = run_id(NEXT);
            assert_eq!(begins_on(&world, next), Some(pin("a")), "{stops_at:?}");
            let records = world.records(run_id(1));
            if let RecordBody::Command(Command::ContinueAsNew(asked)) =
                &records.last().unwrap().body
            {
                assert_eq!(asked.start.chain.pinned_to, Some(pin("a")));
            }
        }
    }
}
