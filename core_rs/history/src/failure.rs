//! Why something did not succeed, in a form that every language can raise again.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use crate::ids::RunId;
use crate::payload::Payload;

/// A failure as recorded: who failed, how, and because of what.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Failure {
    /// What sort of failure, with the fields only that sort has.
    pub kind: FailureKind,
    /// The text for people.
    pub message: String,
    /// The stack trace where it was raised, as text of that language; empty when there is none.
    pub stack: String,
    /// What this failure was raised from.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub cause: Option<Box<Failure>>,
}

impl Failure {
    /// Moves the failure out of a place that is not read again.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let nothing = Self {
            kind: FailureKind::Terminated,
            message: String::new(),
            stack: String::new(),
            cause: None,
        };
        core::mem::replace(self, nothing)
    }
}

/// The sorts of failure.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "json",
    serde(tag = "sort", rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum FailureKind {
    /// Raised by user code, in any language.
    Application {
        /// The error's type name, by which policies and `except` clauses know it.
        type_name: String,
        /// Positional details, one encoded list; absent when there are none.
        details: Option<Payload>,
        /// Whether the raiser forbids a retry.
        non_retryable: bool,
        /// When the raiser asks for the next attempt.
        next_retry_delay: Option<Duration>,
    },
    /// One of the activity timeouts passed.
    Timeout {
        /// Which one.
        kind: TimeoutKind,
        /// The last heartbeat details that were recorded.
        last_heartbeat_details: Option<Payload>,
    },
    /// Cancelled from outside the awaiting code.
    Cancelled {
        /// Details given by the cancelled side, one encoded list.
        details: Option<Payload>,
    },
    /// The run was terminated.
    Terminated,
    /// An activity failed for good; the cause says why.
    Activity {
        /// The activity's name.
        activity: String,
        /// The service that hosts it; absent for activities of the run's own task queue.
        service: Option<String>,
        /// The attempt that failed last.
        attempt: u32,
        /// Why no further attempt follows.
        retry_state: RetryState,
    },
    /// The worker was lost while it held the task.
    WorkerLost,
    /// A child workflow did not complete; the cause says why.
    ChildWorkflow {
        /// The child's registered name.
        workflow_type: String,
        /// Its workflow id.
        workflow_id: String,
        /// Its run.
        run: RunId,
    },
}

/// The four activity timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TimeoutKind {
    /// No worker began the attempt in time. Not retried.
    ScheduleToStart,
    /// One attempt took too long.
    StartToClose,
    /// Queueing, all attempts and the waits between them took too long. Not retried.
    ScheduleToClose,
    /// The worker stayed silent too long.
    Heartbeat,
    /// The run itself took too long.
    Run,
}

/// Why an activity is not attempted again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RetryState {
    /// The error, the contract or the policy forbids it.
    NonRetryable,
    /// `maximum_attempts` are used up.
    MaximumAttemptsReached,
    /// The next attempt would begin after schedule-to-close, or it has passed.
    TimedOut,
    /// Cancellation was requested.
    CancelRequested,
}
