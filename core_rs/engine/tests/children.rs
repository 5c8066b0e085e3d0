//! Runs that ask each other for something, killed at every write: nothing lost, nothing twice.

mod support;

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{
    CancellationType, Command, Event, ExternalRun, Failure, FailureKind, ParentClosePolicy,
    RecordBody, RetryPolicy, SignalExternal, Site, StartChild, Successor, Timestamp,
};
use perdure_machine::Activation;
use perdure_store::RunStatus;

use support::{World, complete, payload, run_id};

const CHILD: u8 = 50;

fn start_child(workflow_id: &str, policy: ParentClosePolicy) -> Command {
    Command::StartChild(Arc::new(StartChild {
        run: run_id(CHILD),
        workflow_id: workflow_id.to_owned(),
        workflow_type: Arc::from("child"),
        task_queue: "default".to_owned(),
        arguments: payload("arguments"),
        digest: payload("arguments").digest(),
        seed: 9,
        site: Arc::new(Site::default()),
        run_timeout: None,
        parent_close_policy: policy,
        cancellation_type: CancellationType::Try,
        headers: Vec::new(),
        priority: perdure_history::Priority::default(),
    }))
}

fn signal(workflow_id: &str) -> Command {
    Command::SignalExternal(Arc::new(SignalExternal {
        target: ExternalRun {
            workflow_id: workflow_id.to_owned(),
            run: None,
            child_n: None,
        },
        name: "go".to_owned(),
        arguments: payload("go"),
        site: Arc::new(Site::default()),
    }))
}

/// The parent starts a child, signals it, and ends with it; the child ends with the signal.
fn family(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(started) if &*started.workflow_type == "audit" => {
            vec![start_child("child", ParentClosePolicy::Terminate)]
        }
        Activation::ChildStarted { .. } => vec![signal("child")],
        Activation::Signal { .. } => vec![complete("child")],
        Activation::ResolveChild { outcome, .. } => match outcome {
            Ok(_) => vec![complete("parent")],
            Err(_) => return Err("the child failed"),
        },
        _ => Vec::new(),
    })
}

/// The parent starts a child and ends once it is begun; the child would stay for ever.
fn leaves(policy: ParentClosePolicy, activation: &Activation) -> Vec<Command> {
    match activation {
        Activation::Start(started) if &*started.workflow_type == "audit" => {
            vec![start_child("child", policy)]
        }
        Activation::ChildStarted { .. } => vec![complete("parent")],
        Activation::RequestCancel { .. } => vec![Command::CancelRun { details: None }],
        _ => Vec::new(),
    }
}

fn terminates(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(leaves(ParentClosePolicy::Terminate, activation))
}

fn requests_cancel(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(leaves(ParentClosePolicy::RequestCancel, activation))
}

fn abandons_at_once(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(started) if &*started.workflow_type == "audit" => {
            let child = start_child("child", ParentClosePolicy::Abandon);
            vec![child, complete("parent")]
        }
        _ => Vec::new(),
    })
}

/// The id of the child is that of its parent, which is open.
fn takes_its_own_id(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(_) => vec![start_child("workflow-1", ParentClosePolicy::Terminate)],
        Activation::ResolveChild {
            outcome: Err(failure),
            ..
        } => vec![Command::FailRun {
            failure: failure.clone(),
            next: None,
        }],
        _ => return Err("the child was begun"),
    })
}

/// The child goes on in another run, which fails once and is tried again.
fn goes_on(activation: &Activation) -> Result<Vec<Command>, &'static str> {
    Ok(match activation {
        Activation::Start(started) if &*started.workflow_type == "audit" => {
            vec![start_child("child", ParentClosePolicy::Terminate)]
        }
        Activation::Start(started) if started.chain.continued_run_id.is_none() => {
            let mut next = Successor::of(started.origin, started, Timestamp::from_micros(0));
            next.start.chain.retry_policy = Some(RetryPolicy {
                jitter: 0.0,
                ..RetryPolicy::default()
            });
            vec![Command::ContinueAsNew(Arc::new(next))]
        }
        Activation::Start(started) if started.chain.attempt == 1 => vec![Command::FailRun {
            failure: support::failure("Broken"),
            next: None,
        }],
        Activation::Start(_) => vec![complete("child")],
        Activation::ResolveChild { outcome: Ok(_), .. } => vec![complete("parent")],
        _ => Vec::new(),
    })
}

#[test]
fn h7_c15_a_parent_hears_only_of_the_last_run_of_its_child() {
    everywhere(goes_on, |world, case| {
        let parent = [
            "RunStarted",
            "StartChild",
            "ChildStarted",
            "ChildCompleted",
            "CompleteRun",
        ];
        assert_eq!(world.history(run_id(1)), parent, "{case}");
        let first = ["RunStarted", "ContinueAsNew"];
        assert_eq!(world.history(run_id(CHILD)), first, "{case}");
        assert_eq!(world.engine.open_runs(), 0, "{case}");
        assert_inbox_is_empty(world, case);
    });
}

/// Runs the parent with a crash at one write, before or after it is durable; `None` for no crash.
fn killed_at(workflow: support::Workflow, stop: Option<(usize, bool)>) -> (World, bool) {
    let mut world = World::new(workflow);
    world.host(&["audit", "child"]);
    world.appends = 0;
    world.stops_at = stop;
    world.start_run(1);
    if !world.stopped {
        world.advance(Duration::from_secs(60));
    }
    let stopped = world.stopped;
    if stopped {
        world.restart();
        world.host(&["audit", "child"]);
        // The client heard nothing, and starts again under the same message.
        world.start_run(1);
        world.advance(Duration::from_secs(60));
    }
    (world, stopped)
}

/// The world after a crash at each write in turn, before and after it is durable.
fn everywhere(workflow: support::Workflow, mut check: impl FnMut(&World, &str)) {
    check(&killed_at(workflow, None).0, "no crash");
    for after in [false, true] {
        let mut count = 0;
        for at in 1.. {
            let (world, stopped) = killed_at(workflow, Some((at, after)));
            if !stopped {
                break;
            }
            count += 1;
            check(&world, &format!("write {at}, durable: {after}"));
        }
        assert!(count >= 2, "only {count} writes");
    }
}

fn assert_inbox_is_empty(world: &World, case: &str) {
    let inbox = world.inbox();
    assert!(inbox.is_empty(), "{case}: {inbox:?}");
}

#[test]
fn h1_h2_a_crash_at_any_write_neither_loses_nor_doubles_what_runs_tell_each_other() {
    everywhere(family, |world, case| {
        let parent = world.history(run_id(1));
        assert_eq!(
            parent,
            [
                "RunStarted",
                "StartChild",
                "ChildStarted",
                "SignalExternal",
                "ExternalSignalDelivered",
                "ChildCompleted",
                "CompleteRun",
            ],
            "{case}"
        );
        let child = world.history(run_id(CHILD));
        let expected = ["RunStarted", "SignalReceived", "CompleteRun"];
        assert_eq!(child, expected, "{case}");
        assert_inbox_is_empty(world, case);
    });
}

#[test]
fn h5_a_parents_close_reaches_its_child_whatever_crashes() {
    for (workflow, expected) in [
        (terminates as support::Workflow, RunStatus::Terminated),
        (requests_cancel, RunStatus::Cancelled),
    ] {
        everywhere(workflow, |world, case| {
            assert_eq!(
                world.status(run_id(1)),
                Some(RunStatus::Completed),
                "{case}"
            );
            assert_eq!(world.status(run_id(CHILD)), Some(expected), "{case}");
            assert_inbox_is_empty(world, case);
        });
    }
}

#[test]
fn h5_an_abandoned_child_is_begun_once_although_its_parent_closed_with_the_ask() {
    everywhere(abandons_at_once, |world, case| {
        assert_eq!(
            world.status(run_id(1)),
            Some(RunStatus::Completed),
            "{case}"
        );
        assert_eq!(
            world.status(run_id(CHILD)),
            Some(RunStatus::Running),
            "{case}"
        );
        assert_eq!(world.history(run_id(CHILD)), ["RunStarted"], "{case}");
        assert_inbox_is_empty(world, case);
    });
}

#[test]
fn h3_a_taken_id_is_told_once_whatever_crashes() {
    everywhere(takes_its_own_id, |world, case| {
        let records = world.records(run_id(1));
        let failed: Vec<&Failure> = records
            .iter()
            .filter_map(|record| match &record.body {
                RecordBody::Event(Event::ChildFailed { failure, .. }) => Some(failure),
                _ => None,
            })
            .collect();
        let [
            Failure {
                kind: FailureKind::Application { type_name, .. },
                ..
            },
        ] = failed.as_slice()
        else {
            panic!("{case}: {failed:?}");
        };
        assert_eq!(type_name, "WorkflowAlreadyStarted", "{case}");
        assert_eq!(world.status(run_id(1)), Some(RunStatus::Failed), "{case}");
        assert_eq!(world.status(run_id(CHILD)), None, "{case}");
        assert_inbox_is_empty(world, case);
    });
}
