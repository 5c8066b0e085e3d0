//! The whole durable write of a turn, as data.

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{IdReusePolicy, MessageId, RunId, Timestamp, VisibilityChange};

/// One atomic, fenced write to one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The run.
    pub run: RunId,
    /// Present in the write that creates the run.
    pub create: Option<NewRun>,
    /// The number of the last record before this write; the fence on content.
    pub expected_n: u64,
    /// The number of the last record after it.
    pub last_n: u64,
    /// The writer's epoch; the fence on ownership.
    pub epoch: u64,
    /// The encoded batch, absent when only the index, inbox or status changes.
    pub batch: Option<Bytes>,
    /// Changes to outstanding activities and timers.
    pub index_changes: Vec<IndexChange>,
    /// Messages that this turn delivered: they leave the inbox and are never accepted again. A
    /// write without a batch may name one twice (a message dropped because the run is closed).
    pub consumed_message_ids: Vec<MessageId>,
    /// Messages that no turn could take (the run is parked or paused). One whose id is known
    /// already is dropped.
    pub inbox: Vec<InboxMessage>,
    /// Messages to other runs, under the id `<run>.<n>`: in their inboxes once this write is
    /// durable. One whose id is known already is dropped.
    pub outbox: Vec<InboxMessage>,
    /// A new status, when it changes.
    pub status: Option<StatusChange>,
    /// Changes to what the run is found by and what is said of it.
    pub visibility: VisibilityChange,
    /// What attempts that this write marks as handed use of rate limits.
    pub rates: Vec<RateMark>,
    /// Present in the write that closes the run.
    pub close: Option<Close>,
}

/// What is durable of a rate limit. Writes may come in any order: of two marks of the same key and
/// slice the larger numbers stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateMark {
    /// The limit's key.
    pub key: Arc<str>,
    /// The end of the slice of time in which it was granted; `NEVER` in the mark that closes a key.
    pub slice: Timestamp,
    /// How many units were granted in it, in all.
    pub units: u64,
    /// Until when it counts, or the key is closed; absent when it is to be forgotten.
    pub until: Option<Timestamp>,
}

/// What a creating write says of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The namespace.
    pub namespace: String,
    /// Unique among the open runs of the namespace.
    pub workflow_id: String,
    /// The workflow's registered name.
    pub workflow_type: String,
    /// The task queue.
    pub task_queue: String,
    /// The start message's id: the same start again finds this run.
    pub message_id: MessageId,
    /// When it was started.
    pub started_at: Timestamp,
    /// Whether closed runs of the workflow id stand in its way.
    pub reuse: IdReusePolicy,
}

impl NewRun {
    /// Whether the last run of the workflow id, which ended so, stands in the way of this one.
    #[must_use]
    pub fn is_barred_by(&self, last: RunStatus) -> bool {
        match self.reuse {
            IdReusePolicy::AllowDuplicateFailedOnly => {
                matches!(last, RunStatus::Completed | RunStatus::ContinuedAsNew)
            }
            IdReusePolicy::RejectDuplicate => true,
            _ => false,
        }
    }
}

/// A change to what a run has outstanding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexChange {
    /// New, or replaced.
    Put(Outstanding),
    /// Gone.
    Remove {
        /// The number of the command that began it.
        command_n: u64,
    },
}

/// One outstanding activity or timer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outstanding {
    /// The number of the command that began it.
    pub command_n: u64,
    /// Which sort.
    pub kind: OutstandingKind,
    /// When something is next due for it.
    pub due_at: Timestamp,
    /// The engine's own state of it, encoded by the engine; the store does not look inside.
    pub state: Bytes,
}

/// The sorts of outstanding work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutstandingKind {
    /// An activity.
    Activity,
    /// A timer.
    Timer,
}

/// A durable message to a run that no turn has delivered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// The run it is for; absent in a start, which makes its run.
    pub run: Option<RunId>,
    /// Unique for the run's life.
    pub message_id: MessageId,
    /// When it was received; delivery order is receipt order.
    pub received_at: Timestamp,
    /// What it says, encoded by the engine.
    pub body: Bytes,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunStatus {
    /// Open and going on.
    Running,
    /// Open, waiting for new code (design law 7).
    Parked,
    /// Open, held by an operator.
    Paused,
    /// Returned.
    Completed,
    /// Raised a failure.
    Failed,
    /// Ended because it was cancelled.
    Cancelled,
    /// Ended from outside.
    Terminated,
    /// Took longer than its run timeout.
    TimedOut,
    /// Goes on in another run.
    ContinuedAsNew,
}

/// A new status of an open run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The status.
    pub status: RunStatus,
    /// Why it is parked or paused, encoded by the engine; empty otherwise.
    pub detail: Bytes,
}

/// How and when a run closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The closed status.
    pub status: RunStatus,
    /// When.
    pub closed_at: Timestamp,
}

/// Why a write did not happen. Nothing of it is in the store then, but for `Ambiguous`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Another owner has written: this one must drop the run without running user code.
    #[error(
        "run {run} was written by another owner: expected record {expected_n} and epoch {epoch}, \
         found {found_n} and {found_epoch}"
    )]
    Fenced {
        /// The run.
        run: RunId,
        /// The last record this writer knew.
        expected_n: u64,
        /// This writer's epoch.
        epoch: u64,
        /// The last record in the store.
        found_n: u64,
        /// The epoch in the store.
        found_epoch: u64,
    },
    /// An open run of this namespace already has the workflow id.
    #[error("workflow id {workflow_id:?} is already open as run {open_run}")]
    AlreadyOpen {
        /// The id.
        workflow_id: String,
        /// Its open run.
        open_run: RunId,
    },
    /// The last run of the workflow id is closed, and the start does not allow another.
    #[error("workflow id {workflow_id:?} was used by run {last_run} and may not be used again")]
    IdUsed {
        /// The id.
        workflow_id: String,
        /// Its last run.
        last_run: RunId,
    },
    /// This start message already made a run.
    #[error("the start message already made run {run}")]
    AlreadyStarted {
        /// The run it made.
        run: RunId,
    },
    /// The run is closed: only messages can still be consumed.
    #[error("run {run} is closed and takes no further records")]
    Closed {
        /// The run.
        run: RunId,
    },
    /// The turn delivered a message that an earlier write delivered already.
    #[error("message {:?} was already delivered to run {run}", .message_id.0)]
    AlreadyConsumed {
        /// The run.
        run: RunId,
        /// The message.
        message_id: MessageId,
    },
    /// The write contradicts itself: a bug of the caller.
    #[error("the write to run {run} is not well formed: {reason}")]
    Malformed {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No space is left: try the same bytes again later.
    #[error("no space is left on the store's disk")]
    NoSpace,
    /// It is not known whether the write happened: re-read and compare the batch's hash.
    #[error("it is not known whether the write to run {run} happened")]
    Ambiguous {
        /// The run.
        run: RunId,
    },
    /// What the store has of the run, or of the one whose workflow id it would take, is damaged.
    /// Other runs go on.
    #[error("what the store has of run {run} is damaged: {reason}; restore it from a backup")]
    Damaged {
        /// The run of the write.
        run: RunId,
        /// What the check found.
        reason: String,
    },
    /// What more than one run needs is damaged: the store stops, and cannot be opened again.
    #[error("{reason}")]
    StoreDamaged {
        /// What the store says of itself.
        reason: String,
    },
    /// A sync failed: the store stops and must be reopened. A sync is never retried.
    #[error("the store could not be synced and has stopped: {reason}")]
    SyncFailed {
        /// What the operating system said.
        reason: String,
    },
}
