//! The golden histories of what runs ask of each other: children, and messages to other runs.

use std::sync::Arc;

use perdure_history::testing::{HistoryBuilder, failure};
use perdure_history::{
    CancelExternal, CancellationType, Command, Event, ExternalRun, ParentClosePolicy, Priority,
    RunId, SignalExternal, StartChild,
};

use super::cases::{Case, SECOND, cancel_requested};
use super::payload;

/// The cases of what runs ask of each other, in the order of their paths.
pub fn between_runs() -> Vec<Case> {
    vec![
        Case {
            path: "child/cancelled",
            story: "The parent takes a child back and waits for its clean-up; another ends by its \
                    own failure, which is not caught.",
            history: cancelled_child(),
        },
        Case {
            path: "child/results",
            story: "Two children at once, of which the second cannot be begun, and a signal to \
                    the first, which follows it through its runs.",
            history: children(),
        },
        Case {
            path: "message/external",
            story: "A signal and a cancel that reach another run, and a signal and a cancel that \
                    find none.",
            history: external(),
        },
    ]
}

fn child(number: u8, cancellation_type: CancellationType) -> Command {
    let arguments = payload(b"\x91\x07");
    Command::StartChild(Arc::new(StartChild {
        run: RunId([number; 16]),
        workflow_id: format!("child-{number}"),
        workflow_type: "ship".into(),
        task_queue: "default".into(),
        digest: arguments.digest(),
        arguments,
        seed: 5,
        site: Arc::default(),
        run_timeout: Some(60 * SECOND),
        parent_close_policy: ParentClosePolicy::RequestCancel,
        cancellation_type,
        headers: vec![("tenant".into(), "a".into())],
        priority: Priority::default(),
    }))
}

fn other_run(workflow_id: &str, run: Option<RunId>, child_n: Option<u64>) -> ExternalRun {
    ExternalRun {
        workflow_id: workflow_id.into(),
        run,
        child_n,
    }
}

fn tell(target: ExternalRun) -> Command {
    Command::SignalExternal(Arc::new(SignalExternal {
        target,
        name: "tell".into(),
        arguments: payload(b"\x91\x01"),
        site: Arc::default(),
    }))
}

fn ask_to_cancel(target: ExternalRun) -> Command {
    Command::CancelExternal(Arc::new(CancelExternal {
        target,
        reason: "no longer needed".into(),
        site: Arc::default(),
    }))
}

/// 1 run started, 2 start child, 3 start child | 4 child started (2), 5 signal external,
/// 6 child failed (3) | 7 external signal delivered (5), 8 child completed (2), 9 complete run
fn children() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let first = history.command(child(21, CancellationType::Try));
    let second = history.command(child(22, CancellationType::Try));
    history.turn(SECOND);
    history.event(Event::ChildStarted { command_n: first });
    let told = history.command(tell(other_run("child-21", None, Some(first))));
    history.event(Event::ChildFailed {
        command_n: second,
        failure: failure("its id is taken"),
    });
    history.turn(SECOND);
    history.event(Event::ExternalSignalDelivered { command_n: told });
    history.event(Event::ChildCompleted {
        command_n: first,
        result: payload(b"\xa7shipped"),
    });
    history.complete_run();
    history
}

/// 1 run started, 2 start child, 3 start child | 4 child started (2), 5 child started (3) |
/// 6 cancel requested, 7 cancel child (2) | 8 child cancelled (2) | 9 child failed (3), 10 fail run
fn cancelled_child() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let waited = history.command(child(23, CancellationType::WaitCompleted));
    let failing = history.command(child(24, CancellationType::Abandon));
    history.turn(SECOND);
    history.event(Event::ChildStarted { command_n: waited });
    history.event(Event::ChildStarted { command_n: failing });
    history.turn(SECOND);
    history.event(cancel_requested());
    history.command(Command::CancelChild { command_n: waited });
    history.turn(SECOND);
    history.event(Event::ChildCancelled {
        command_n: waited,
        details: Some(payload(b"\x91\x01")),
    });
    history.turn(SECOND);
    history.event(Event::ChildFailed {
        command_n: failing,
        failure: failure("it broke"),
    });
    history.command(Command::FailRun {
        failure: failure("it broke"),
        next: None,
    });
    history
}

/// 1 run started, 2 and 3 signal external, 4 and 5 cancel external | 6 to 9 what came of them,
/// 10 complete run
fn external() -> HistoryBuilder {
    let mut history = HistoryBuilder::started("order");
    let known = RunId([25; 16]);
    let told = history.command(tell(other_run("other", Some(known), None)));
    let untold = history.command(tell(other_run("nobody", None, None)));
    let asked = history.command(ask_to_cancel(other_run("other", None, None)));
    let unasked = history.command(ask_to_cancel(other_run("nobody", Some(known), None)));
    history.turn(SECOND);
    history.event(Event::ExternalSignalDelivered { command_n: told });
    history.event(Event::ExternalSignalFailed {
        command_n: untold,
        failure: failure("no such run"),
    });
    history.event(Event::ExternalCancelDelivered { command_n: asked });
    history.event(Event::ExternalCancelFailed {
        command_n: unasked,
        failure: failure("no such run"),
    });
    history.complete_run();
    history
}
