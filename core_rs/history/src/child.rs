//! What runs ask of each other: children, and messages to runs that are none.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::command::{CancellationType, Site};
use crate::ids::RunId;
use crate::payload::{Digest, Payload};
use crate::priority::Priority;

/// The run that a child reports to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Parent {
    /// The run.
    pub run: RunId,
    /// The number of its command that started the child.
    pub command_n: u64,
    /// Its workflow id.
    pub workflow_id: String,
}

/// What becomes of a child when its parent closes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ParentClosePolicy {
    /// It is ended without running its code.
    #[default]
    Terminate,
    /// It is asked to cancel itself.
    RequestCancel,
    /// It goes on.
    Abandon,
}

/// The arguments and options of one child workflow.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct StartChild {
    /// The child's run, chosen by the parent: however often the start is sent, it is one run.
    pub run: RunId,
    /// The child's workflow id.
    pub workflow_id: String,
    /// The child's registered name.
    pub workflow_type: Arc<str>,
    /// The task queue its tasks go to.
    pub task_queue: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
    /// The digest of the arguments in canonical form.
    pub digest: Digest,
    /// The seed of the child's random streams.
    pub seed: u64,
    /// Where the code asked.
    pub site: Arc<Site>,
    /// The longest the child may take; none by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub run_timeout: Option<Duration>,
    /// What becomes of it when the parent closes first.
    #[cfg_attr(feature = "json", serde(default))]
    pub parent_close_policy: ParentClosePolicy,
    /// What cancelling the call means.
    #[cfg_attr(feature = "json", serde(default))]
    pub cancellation_type: CancellationType,
    /// User headers.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub headers: Vec<(String, String)>,
    /// Which of the attempts that wait leaves first; the parent's own by default.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Priority::is_default")
    )]
    pub priority: Priority,
}

/// Another run, as workflow code names it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct ExternalRun {
    /// Its workflow id.
    pub workflow_id: String,
    /// The run, when not whichever is open under the workflow id.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub run: Option<RunId>,
    /// The number of the command that started it, when it is a child of the asking run: the
    /// message then reaches the child also after it has continued as new.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub child_n: Option<u64>,
}

/// A signal to another run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct SignalExternal {
    /// Which run.
    pub target: ExternalRun,
    /// The signal's name.
    pub name: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
    /// Where the code asked.
    pub site: Arc<Site>,
}

/// A cancel of another run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct CancelExternal {
    /// Which run.
    pub target: ExternalRun,
    /// A text for people.
    pub reason: String,
    /// Where the code asked.
    pub site: Arc<Site>,
}
