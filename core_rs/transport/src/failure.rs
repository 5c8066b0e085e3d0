//! Errors of the protocol to failures, and back.

use std::time::Duration;

use perdure_engine::TaskOutcome;
use perdure_history::{Failure, FailureKind, TimeoutKind};

use crate::document::{Builder, Document};

/// Causes kept of one error.
const MAXIMUM_CAUSES: usize = 16;

/// An error reply.
#[derive(Debug)]
pub(crate) struct ForeignError {
    /// What was raised.
    pub(crate) failure: Failure,
    /// Whether the handler had begun; otherwise the attempt does not count.
    pub(crate) started: bool,
}

/// Reads an error document; every field has a default.
pub(crate) fn read(document: &Document<'_>) -> ForeignError {
    ForeignError {
        failure: failure(document, MAXIMUM_CAUSES),
        started: document.boolean("started").unwrap_or(true)
            || !document.boolean("retryable").unwrap_or(true),
    }
}

fn failure(document: &Document<'_>, causes_left: usize) -> Failure {
    let cause = document
        .raw("cause")
        .filter(|_| causes_left > 0)
        .and_then(|cause| Document::read(cause).ok())
        .map(|cause| Box::new(failure(&cause, causes_left - 1)));
    Failure {
        kind: FailureKind::Application {
            type_name: document.text("type").unwrap_or("Error").to_owned(),
            details: document
                .payload("details")
                .filter(|_| !document.items("details").is_empty()),
            non_retryable: !document.boolean("retryable").unwrap_or(true),
            next_retry_delay: document
                .unsigned("retry_after_ms")
                .map(Duration::from_millis),
        },
        message: document.text("message").unwrap_or("").to_owned(),
        stack: document.text("stack").unwrap_or("").to_owned(),
        cause,
    }
}

/// The error document of a recorded failure, for a worker that wants to know of the last attempt.
pub(crate) fn write(failure: &Failure) -> Builder {
    write_limited(failure, MAXIMUM_CAUSES)
}

fn write_limited(failure: &Failure, causes_left: usize) -> Builder {
    let (type_name, details, retryable) = match &failure.kind {
        FailureKind::Application {
            type_name,
            details,
            non_retryable,
            ..
        } => (type_name.as_str(), details.as_ref(), !non_retryable),
        FailureKind::Timeout { kind, .. } => (timeout_name(*kind), None, true),
        FailureKind::Cancelled { details } => ("CancelledFailure", details.as_ref(), false),
        FailureKind::Terminated => ("TerminatedError", None, false),
        FailureKind::Activity { .. } => ("ActivityError", None, true),
        FailureKind::WorkerLost => ("WorkerLost", None, true),
        _ => ("Error", None, true),
    };
    let cause = failure.cause.as_deref().filter(|_| causes_left > 0);
    Builder::default()
        .text("type", type_name)
        .text("message", &failure.message)
        .text("stack", &failure.stack)
        .payload("details", details)
        .boolean("retryable", retryable)
        .document(
            "cause",
            cause.map(|cause| write_limited(cause, causes_left - 1)),
        )
}

fn timeout_name(kind: TimeoutKind) -> &'static str {
    match kind {
        TimeoutKind::Heartbeat => "HeartbeatTimeout",
        TimeoutKind::StartToClose => "StartToCloseTimeout",
        TimeoutKind::ScheduleToStart => "ScheduleToStartTimeout",
        TimeoutKind::ScheduleToClose => "ScheduleToCloseTimeout",
        _ => "TimeoutError",
    }
}

/// The outcome of a task that is larger than any worker can take over this transport.
pub(crate) fn too_large(limit_bytes: usize, advice: &str) -> TaskOutcome {
    let failure = Failure {
        kind: FailureKind::Application {
            type_name: "PayloadTooLarge".to_owned(),
            details: None,
            non_retryable: true,
            next_retry_delay: None,
        },
        message: format!(
            "the task is larger than this transport's {limit_bytes} bytes: pass a reference to \
             the data{advice}"
        ),
        stack: String::new(),
        cause: None,
    };
    TaskOutcome::Failed { failure }
}
