//! Facts about a run that came from outside its code.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::chain::Chain;
use crate::child::Parent;
use crate::failure::{Failure, RetryState};
use crate::ids::{MessageId, RunId};
use crate::payload::Payload;
use crate::priority::Priority;
use crate::reset::RunReset;
use crate::search::SearchValue;
use crate::time::Timestamp;
use crate::worker_version::WorkerVersion;

/// One fact. Completions carry the number of the command they complete, and the attempt.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "json",
    serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Event {
    /// The first event of every run.
    RunStarted(Arc<RunStarted>),
    /// A new Python minor or engine version runs this history from here on.
    VersionChanged {
        /// For instance `0.1.0`.
        engine: String,
        /// For instance `cpython-3.11`.
        language: String,
        /// The version of the workers, where they say one.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        deployment: Option<WorkerVersion>,
    },
    /// A client moved the run to another version of its workers.
    OptionsUpdated {
        /// The sender's id for it.
        message_id: MessageId,
        /// The version that it stays on from now on; absent: the current one.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        pinned_to: Option<WorkerVersion>,
    },
    /// The activity succeeded.
    ActivityCompleted {
        /// The number of the scheduling command.
        command_n: u64,
        /// The attempt that succeeded.
        attempt: u32,
        /// What it returned.
        result: Payload,
    },
    /// The activity failed and is not tried again.
    ActivityFailed {
        /// The number of the scheduling command.
        command_n: u64,
        /// The attempt that failed last; 0 when none began.
        attempt: u32,
        /// Why the last attempt failed (not yet wrapped as an activity failure).
        failure: Failure,
        /// Why no attempt follows.
        retry_state: RetryState,
    },
    /// The activity ended because it was cancelled.
    ActivityCancelled {
        /// The number of the scheduling command.
        command_n: u64,
        /// The attempt that was cancelled; 0 when none began.
        attempt: u32,
        /// What the worker gave, one encoded list.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        details: Option<Payload>,
    },
    /// One attempt failed or was lost, and another follows. Workflow code does not see it.
    ActivityAttemptFailed {
        /// The number of the scheduling command.
        command_n: u64,
        /// The attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// When the next attempt may begin.
        #[cfg_attr(feature = "json", serde(rename = "next_attempt_at_us"))]
        next_attempt_at: Timestamp,
        /// The last heartbeat details, kept for the next attempt.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        heartbeat_details: Option<Payload>,
    },
    /// The timer is due.
    TimerFired {
        /// The number of the starting command.
        command_n: u64,
    },
    /// A client sent a signal.
    SignalReceived {
        /// The sender's id for it.
        message_id: MessageId,
        /// The signal's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
    /// A client sent an update, and its validator accepted it.
    UpdateAccepted {
        /// The update's id, unique for the run's life.
        message_id: MessageId,
        /// The update's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
    /// A client asked the run to cancel itself.
    CancelRequested {
        /// The sender's id for it.
        message_id: MessageId,
        /// The text given.
        reason: String,
    },
    /// A client ended the run without running its code.
    RunTerminated {
        /// The sender's id for it.
        message_id: MessageId,
        /// The text given.
        reason: String,
        /// The run that goes on from a copy of this one; absent when none does.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        next_run_id: Option<RunId>,
    },
    /// The run took longer than its timeout.
    RunTimedOut,
    /// The child is begun, and that is durable.
    ChildStarted {
        /// The number of the starting command.
        command_n: u64,
    },
    /// The child returned.
    ChildCompleted {
        /// The number of the starting command.
        command_n: u64,
        /// What it returned.
        result: Payload,
    },
    /// The child failed, was ended from outside, or could not be begun.
    ChildFailed {
        /// The number of the starting command.
        command_n: u64,
        /// Why (not yet wrapped as a child's failure).
        failure: Failure,
    },
    /// The child ended because it was cancelled.
    ChildCancelled {
        /// The number of the starting command.
        command_n: u64,
        /// The cancellation's details, one encoded list.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        details: Option<Payload>,
    },
    /// Another run has the signal, and that is durable.
    ExternalSignalDelivered {
        /// The number of the signalling command.
        command_n: u64,
    },
    /// There is no such open run.
    ExternalSignalFailed {
        /// The number of the signalling command.
        command_n: u64,
        /// Why.
        failure: Failure,
    },
    /// Another run has the cancel, and that is durable.
    ExternalCancelDelivered {
        /// The number of the cancelling command.
        command_n: u64,
    },
    /// There is no such open run.
    ExternalCancelFailed {
        /// The number of the cancelling command.
        command_n: u64,
        /// Why.
        failure: Failure,
    },
    /// All records before this one were copied from another run. Workflow code does not see it.
    RunReset(Arc<RunReset>),
}

/// A signal that came with the start: it is handled before the workflow begins to run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct StartSignal {
    /// The signal's name.
    pub name: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
}

/// What runs workflow code: two of them may do it differently.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Version {
    /// For instance `0.1.0`.
    pub engine: String,
    /// For instance `cpython-3.11`.
    pub language: String,
    /// The version of the workers, where they say one.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub deployment: Option<WorkerVersion>,
}

impl core::fmt::Display for Version {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(to, "perdure {} on {}", self.engine, self.language)?;
        match &self.deployment {
            Some(deployment) => write!(to, " of version {}", deployment.name()),
            None => Ok(()),
        }
    }
}

/// How a run began.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct RunStarted {
    /// The start message's id: the same start sent again finds this run.
    pub message_id: MessageId,
    /// The namespace; `default` by default.
    pub namespace: String,
    /// The user's name for the workflow, unique among open runs of a namespace.
    pub workflow_id: String,
    /// The workflow's registered name.
    pub workflow_type: Arc<str>,
    /// The task queue its tasks go to.
    pub task_queue: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
    /// The seed of the run's random streams.
    pub seed: u64,
    /// The run in which activities were first scheduled: this run, unless it was reset.
    pub origin: RunId,
    /// The longest the run may take; none by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub run_timeout: Option<Duration>,
    /// Free-form values for people, `(key, value)`.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub memo: Vec<(String, Payload)>,
    /// User headers.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub headers: Vec<(String, String)>,
    /// What ran the first turn; unknown when a run was ended before it.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub version: Option<Version>,
    /// Where it stands among the runs of its workflow.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "crate::chain::is_default")
    )]
    pub chain: Chain,
    /// The run to which this one reports; absent unless it is a child.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub parent: Option<Parent>,
    /// The signal that came with the start, if one did.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub signal: Option<StartSignal>,
    /// What the run is found by, `(name, value)`.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub search_attributes: Vec<(String, SearchValue)>,
    /// Which of the attempts that wait leaves first, of this run's activities and children.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Priority::is_default")
    )]
    pub priority: Priority,
}
