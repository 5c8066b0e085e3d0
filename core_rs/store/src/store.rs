//! The promise every store keeps; `validation` holds the suite that checks it.

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};

use crate::append::{Append, AppendError, InboxMessage, Outstanding, RateMark};
use crate::filter::Search;
use crate::query::{RunFilter, RunSummary};

/// A durable log of runs. One owner writes at a time: opening as owner raises the epoch.
///
/// A store is driven by one thread. Appends come in groups that share one sync; the engine keeps
/// any number of groups' results outstanding, so a store over a network may answer later.
pub trait Store: Send {
    /// The epoch this owner writes under.
    fn epoch(&self) -> u64;

    /// Writes a group: each entry atomic by itself, all durable when this returns, one sync in all.
    /// The results are in the order of the entries; one refused entry does not disturb the others.
    ///
    /// # Errors
    /// [`StoreError`] when nothing of the group was written and the store must be reopened.
    fn append(&mut self, group: &[Append]) -> Result<Vec<Result<(), AppendError>>, StoreError>;

    /// The encoded batches of a run from the one that holds record `from_n` on, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn read(&self, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError>;

    /// All that is outstanding in open runs, for a restart: nothing here reads a history.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn recover(&self) -> Result<Recovery, StoreError>;

    /// Puts a message durably into the inbox; `false` when its id is known already.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be made durable.
    fn post(&mut self, message: &InboxMessage) -> Result<bool, StoreError>;

    /// Messages not yet consumed, by receipt, `after` exclusive (`None`: from the first).
    /// When `after` has left the inbox, or two runs have a message of that id, more are given
    /// than asked for: the reader tells them apart by their ids.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn inbox(&self, after: Option<&MessageId>) -> Result<Vec<InboxMessage>, StoreError>;

    /// Takes a message out of the inbox that no run will take: a start that was refused, or a
    /// message to a run that does not exist. `false` when it was not there.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    fn discard(&mut self, run: Option<RunId>, message_id: &MessageId) -> Result<bool, StoreError>;

    /// The run that a start message made, open or closed.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn started_by(&self, message_id: &MessageId) -> Result<Option<RunId>, StoreError>;

    /// What can be known of one run.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError>;

    /// Runs by filter, newest first: by run id downwards, which begins with its time.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError>;

    /// Runs that a query asks for, in its order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn search(&self, search: &Search) -> Result<Vec<RunSummary>, StoreError>;

    /// How many runs a query asks for; its order, place and limit do not matter.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn count(&self, search: &Search) -> Result<u64, StoreError>;

    /// Deletes runs closed before `closed_before`, at most `limit`; says how many. What was granted
    /// of rate limits and counts no more since then goes with them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    fn retain(&mut self, closed_before: Timestamp, limit: usize) -> Result<usize, StoreError>;
}

/// What a restart needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recovery {
    /// Every open run, with what it has outstanding.
    pub runs: Vec<(RunSummary, Vec<Outstanding>)>,
    /// Messages in the inbox, by receipt.
    pub inbox: Vec<InboxMessage>,
    /// What was granted of rate limits, by key and slice.
    pub rates: Vec<RateMark>,
}

/// Why the store as a whole cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another engine owns the file.
    #[error("{path} is owned by process {owner_pid}: stop it, or start this worker as a standby")]
    Owned {
        /// The store's path.
        path: String,
        /// The owner.
        owner_pid: u32,
    },
    /// The file is not a Perdure store.
    #[error("{path} is not a Perdure store: choose another path or move the file away")]
    NotAStore {
        /// The path.
        path: String,
    },
    /// The file was written by a newer version.
    #[error("{path} has format {found}, this version reads up to {supported}: upgrade Perdure")]
    NewerFormat {
        /// The path.
        path: String,
        /// Its format.
        found: u32,
        /// The newest known here.
        supported: u32,
    },
    /// The file was written by a version before the first release.
    #[error(
        "{path} has format {found} of a version before the first release; this one reads \
         {supported}: export what is needed with that version, and begin with another path"
    )]
    OlderFormat {
        /// The path.
        path: String,
        /// Its format.
        found: u32,
        /// The oldest that is read here.
        supported: u32,
    },
    /// The file is damaged.
    #[error("{path} is damaged: {reason}; restore it from a backup")]
    Damaged {
        /// The path.
        path: String,
        /// What the check found.
        reason: String,
    },
    /// Another owner has taken the store over.
    #[error("{path} has another owner by now, under epoch {found_epoch}: this one ({epoch}) ends")]
    Fenced {
        /// The path.
        path: String,
        /// The epoch of this owner.
        epoch: u64,
        /// The epoch of the other one.
        found_epoch: u64,
    },
    /// A sync failed: what is on the disk is unknown until the store is opened again.
    #[error("{path} has stopped after a failed sync ({reason}): open it again")]
    Stopped {
        /// The path.
        path: String,
        /// What the operating system said.
        reason: String,
    },
    /// No space is left: try again later.
    #[error("no space is left for {path}")]
    NoSpace {
        /// The path.
        path: String,
    },
    /// Another process holds the file's write lock.
    #[error("{path} is locked by another process: close the program that writes to it")]
    Busy {
        /// The path.
        path: String,
    },
    /// The operating system refused.
    #[error("{path}: {reason}")]
    Io {
        /// The path.
        path: String,
        /// What the operating system said.
        reason: String,
    },
}
