//! What only the host can do.

use std::time::Duration;

use perdure_history::{RunId, TaskId};

use crate::append_failure::Stopped;
use crate::effect::{Reply, ReplyTo};
use crate::input::{Query, Turn};
use crate::task::Task;

/// What one pump leaves to the host, in this order: queries, evictions, turns, tasks, cancels,
/// replies.
#[derive(Debug, Default)]
pub struct HostWork {
    /// Questions to live instances, which stand as they are committed.
    pub queries: Vec<(RunId, Query)>,
    /// Instances to drop.
    pub evictions: Vec<RunId>,
    /// Runs to step; each comes back as `Input::Turn`.
    pub turns: Vec<Turn>,
    /// Local activities to run; each comes back as `Input::Task`.
    pub tasks: Vec<Task>,
    /// Local activities to cancel, with a text for people.
    pub cancels: Vec<(TaskId, String)>,
    /// Answers to clients of this process.
    pub replies: Vec<(ReplyTo, Reply)>,
    /// Whether to call `commit_inline` (without the interpreter's lock) and then pump again.
    pub commit_inline: bool,
    /// Whether more has come in than one pump handles: pump again.
    pub more: bool,
    /// When to pump again though nothing has come in.
    pub wake_after: Option<Duration>,
    /// The engine has stopped: drop all instances and reopen the store.
    pub stopped: Option<Stopped>,
}

impl HostWork {
    /// Whether there is nothing to do but to wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
            && self.evictions.is_empty()
            && self.turns.is_empty()
            && self.tasks.is_empty()
            && self.cancels.is_empty()
            && self.replies.is_empty()
            && !self.commit_inline
            && !self.more
            && self.stopped.is_none()
    }
}
