//! Looking at runs without running them.

use bytes::Bytes;
use perdure_history::{RunId, Timestamp, Visibility};

use crate::append::RunStatus;

/// What can be known of a run without its history.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The namespace.
    pub namespace: String,
    /// The user's name for it.
    pub workflow_id: String,
    /// The workflow's registered name.
    pub workflow_type: String,
    /// The task queue.
    pub task_queue: String,
    /// How it stands.
    pub status: RunStatus,
    /// Why it is parked or paused, encoded by the engine; empty otherwise.
    pub status_detail: Bytes,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it closed.
    pub closed_at: Option<Timestamp>,
    /// The number of its last record.
    pub last_n: u64,
    /// Its search attributes and its memo.
    pub visibility: Visibility,
}

/// Which runs to list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only this namespace.
    pub namespace: Option<String>,
    /// Only this workflow id.
    pub workflow_id: Option<String>,
    /// Only this type.
    pub workflow_type: Option<String>,
    /// Only this status.
    pub status: Option<RunStatus>,
    /// Only runs started before this one, for paging.
    pub before: Option<RunId>,
    /// At most so many; 0 is the store's own page size, 100.
    pub limit: usize,
}

/// How many runs a list gives when the filter sets no limit.
pub const DEFAULT_PAGE: usize = 100;

impl RunFilter {
    /// Whether the filter lets this run through, the limit aside.
    #[must_use]
    pub fn matches(&self, summary: &RunSummary) -> bool {
        fn wants(wanted: Option<&String>, found: &str) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        wants(self.namespace.as_ref(), &summary.namespace)
            && wants(self.workflow_id.as_ref(), &summary.workflow_id)
            && wants(self.workflow_type.as_ref(), &summary.workflow_type)
            && self.status.is_none_or(|status| status == summary.status)
            && self.before.is_none_or(|before| summary.run < before)
    }
}
