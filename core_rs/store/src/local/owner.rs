//! The owner of a local store: the one process that writes it.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use perdure_history::{MessageId, RunId, Timestamp};
use rusqlite::{Connection, OpenFlags, params};

use crate::append::{Append, AppendError, InboxMessage};
use crate::fail_points::Write;
use crate::filter::Search;
use crate::local::append::{self, GroupWriter};
use crate::local::chunks::{Cuts, KnownChunks};
use crate::local::error::{self, Failure};
use crate::local::head::Heads;
use crate::local::inbox::Posted;
use crate::local::lock::{OwnerLock, Standby};
use crate::local::paths::StorePaths;
use crate::local::schema;
use crate::local::wal::Wal;
use crate::local::{durable, message, query, rates, recover, retain, search};
use crate::query::{RunFilter, RunSummary};
use crate::store::{Recovery, Store, StoreError};

/// How long the owner waits for a program that reads the file with a write lock of its own.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection of an owner is told.
const SETTINGS: &str = "
PRAGMA synchronous = FULL;
PRAGMA cache_size = -16384;
PRAGMA temp_store = MEMORY;
PRAGMA foreign_keys = OFF;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
";

/// A local store, owned. Dropping it ends the ownership.
#[derive(Debug)]
pub struct LocalStore {
    connection: Connection,
    posted: RefCell<Posted>,
    heads: Heads,
    chunks: KnownChunks,
    wal: Wal,
    epoch: u64,
    paths: StorePaths,
    /// Why nothing is written any more, after a sync has failed.
    stopped: Option<String>,
    /// Held last and dropped last: whoever takes over finds the files closed.
    _lock: OwnerLock,
}

impl LocalStore {
    /// Opens the store at `path` as its owner, makes it when it is not there, and fences every
    /// owner before.
    ///
    /// # Errors
    /// [`StoreError::Owned`] as `standby` asks; another [`StoreError`] when the file is not a
    /// store that this version can go on with.
    pub fn open_owner(path: &Path, standby: Standby) -> Result<Self, StoreError> {
        let paths = StorePaths::new(path)?;
        schema::look(&paths.database, schema::APPLICATION_ID)?;
        let mut lock = OwnerLock::take(&paths, standby)?;
        // Looked at again: an owner before us may have made or changed the file.
        schema::look(&paths.database, schema::APPLICATION_ID)?;
        let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
        let mut connection = schema::connect(&paths.database, flags)?;
        let opened = prepare(&mut connection, &paths.database);
        let (mut wal, epoch) = opened
            .map_err(|failure| error::from_failure(&connection, &paths.database, &failure))?;
        wal.find_file(&paths.database);
        let posted = Posted::open(&paths.inbox)?;
        lock.announce(epoch, &paths.socket)?;
        Ok(Self {
            connection,
            posted: RefCell::new(posted),
            heads: Heads::default(),
            chunks: KnownChunks::default(),
            wal,
            epoch,
            paths,
            stopped: None,
            _lock: lock,
        })
    }

    /// The files of this store.
    #[must_use]
    pub fn paths(&self) -> &StorePaths {
        &self.paths
    }

    /// Runs `work` as one transaction with one sync.
    fn transact<T>(
        &mut self,
        write: Write,
        work: impl FnOnce(&mut GroupWriter<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let connection = &self.connection;
        let known = (&mut self.heads, &mut self.chunks);
        let (posted, epoch) = (&self.posted, self.epoch);
        let result = durable::transact(connection, write, || {
            work(&mut GroupWriter::begin(connection, known, posted, epoch)?)
        });
        if result.is_err() {
            self.heads.clear();
            self.chunks.clear();
        }
        result
    }

    /// After a commit: the copying of the log into the database, which may fail on its own.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.wal.lengthen();
        match self.wal.checkpoint_when_long(&self.connection) {
            Ok(()) => Ok(()),
            Err(failure) => match self.failed(&failure) {
                stopped @ StoreError::Stopped { .. } => Err(stopped),
                // The log still holds everything: tried again after a later commit.
                _ => Ok(()),
            },
        }
    }

    fn failed(&mut self, failure: &Failure) -> StoreError {
        let error = error::from_failure(&self.connection, &self.paths.database, failure);
        if let StoreError::Stopped { reason, .. } = &error {
            self.stopped = Some(reason.clone());
        }
        error
    }

    fn check_going(&self) -> Result<(), StoreError> {
        match &self.stopped {
            None => Ok(()),
            Some(reason) => Err(StoreError::Stopped {
                path: self.paths.database.display().to_string(),
                reason: reason.clone(),
            }),
        }
    }

    fn say<T>(&self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        outcome.map_err(|failure| {
            error::from_failure(&self.connection, &self.paths.database, &failure)
        })
    }

    fn write_group(
        &mut self,
        group: &[Append],
    ) -> Result<Vec<Result<(), AppendError>>, StoreError> {
        let written = self.cut(group).and_then(|cuts| {
            self.transact(Write::Append, |writer| {
                let writes = group.iter().enumerate();
                writes
                    .map(|(at, append)| writer.write(append, cuts.get(at).and_then(Option::as_ref)))
                    .collect()
            })
        });
        let failure = match written {
            Ok(results) => return Ok(results),
            Err(failure) => failure,
        };
        match self.failed(&failure) {
            StoreError::Stopped { reason, .. } => {
                let error = AppendError::SyncFailed { reason };
                Ok(group.iter().map(|_| Err(error.clone())).collect())
            }
            StoreError::NoSpace { .. } => match group {
                [_] => Ok(vec![Err(AppendError::NoSpace)]),
                // One large entry must not keep the small ones out.
                group => group
                    .iter()
                    .map(|append| self.write_alone(append))
                    .collect(),
            },
            StoreError::Io { .. } => {
                let unknown = |append: &Append| AppendError::Ambiguous { run: append.run };
                Ok(group.iter().map(|append| Err(unknown(append))).collect())
            }
            error => Err(error),
        }
    }

    /// The cuts of batches that do not stay whole, by their places in the group, and which of their
    /// chunks are there already. Nothing, when all stay whole.
    fn cut(&mut self, group: &[Append]) -> Result<Vec<Option<Cuts>>, Failure> {
        let mut all = Vec::new();
        for (at, append) in group.iter().enumerate() {
            let Some(batch) = &append.batch else { continue };
            if let Some(cuts) = Cuts::of(batch) {
                self.chunks.look_up(&self.connection, batch, &cuts)?;
                all.resize_with(at, || None);
                all.push(Some(cuts));
            }
        }
        Ok(all)
    }

    fn write_alone(&mut self, append: &Append) -> Result<Result<(), AppendError>, StoreError> {
        let mut results = self.write_group(std::slice::from_ref(append))?;
        Ok(results.pop().unwrap_or(Ok(())))
    }

    /// Both inboxes in one order of receipt, without what was consumed.
    fn messages(&self) -> Result<Vec<InboxMessage>, Failure> {
        let mut posted = self.posted.borrow_mut();
        let mut rows: Vec<((i64, i64), InboxMessage)> = Vec::new();
        for (receipt, message) in posted.read()? {
            if query::is_known(&self.connection, message.run.as_ref(), &message.message_id)? {
                posted.finish(message.run, &message.message_id);
            } else {
                rows.push(((receipt, 0), message));
            }
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT after_posted, receipt, run, message_id, received_at, body, checksum
             FROM inbox ORDER BY after_posted, receipt",
        )?;
        let mut own = statement.query([])?;
        while let Some(row) = own.next()? {
            let (after_posted, receipt) = (row.get(0)?, row.get(1)?);
            let message = message::read(row, 2, |message| {
                message::placed_checksum(message, after_posted)
            })?;
            rows.push(((after_posted, receipt), message));
        }
        rows.sort_by_key(|(receipt, _)| *receipt);
        let mut seen = HashSet::new();
        rows.retain(|(_, message)| seen.insert((message.run, message.message_id.clone())));
        Ok(rows.into_iter().map(|(_, message)| message).collect())
    }
}

/// Makes a connection ready to write: the tables, the log, the checks, and a higher epoch.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(Wal, u64), Failure> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    schema::create_unless_there(connection, schema::APPLICATION_ID, schema::TABLES)?;
    schema::verify(connection, schema::APPLICATION_ID, schema::TABLES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.execute_batch(SETTINGS)?;
    let wal = Wal::watch(connection)?;
    // What an owner before could not sync may be seen here without being on the disk. Copied now
    // and synced, it is, before anything is built on it.
    if wal.checkpoint(connection)? {
        schema::check_length(connection, path)?;
    }
    schema::upgrade(connection)?;
    schema::check(connection, schema::READ_AT_OPEN)?;
    let epoch = raise_epoch(connection)?;
    Ok((wal, epoch))
}

fn raise_epoch(connection: &Connection) -> Result<u64, Failure> {
    durable::transact(connection, Write::RaiseEpoch, || {
        let epoch = append::epoch(connection)? + 1;
        connection.execute(
            "UPDATE owner SET epoch = ?1 WHERE id = 1",
            params![epoch.cast_signed()],
        )?;
        Ok(epoch)
    })
}

impl Store for LocalStore {
    fn epoch(&self) -> u64 {
        self.epoch
    }

    fn append(&mut self, group: &[Append]) -> Result<Vec<Result<(), AppendError>>, StoreError> {
        self.check_going()?;
        if group.is_empty() {
            return Ok(Vec::new());
        }
        let results = self.write_group(group)?;
        let posted = self.posted.get_mut();
        for (append, result) in group.iter().zip(&results) {
            if result.is_ok() {
                if let Some(new) = &append.create {
                    posted.finish(None, &new.message_id);
                }
                for id in &append.consumed_message_ids {
                    posted.finish(Some(append.run), id);
                }
            }
        }
        posted.sweep();
        // The group is durable: a checkpoint that fails is told at the next call.
        drop(self.checkpoint());
        Ok(results)
    }

    fn read(&self, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError> {
        self.say(query::read(&self.connection, run, from_n))
    }

    fn recover(&self) -> Result<Recovery, StoreError> {
        let runs = self.say(recover::open_runs(&self.connection))?;
        let inbox = self.say(self.messages())?;
        let rates = self.say(rates::all(&self.connection))?;
        Ok(Recovery { runs, inbox, rates })
    }

    fn post(&mut self, message: &InboxMessage) -> Result<bool, StoreError> {
        self.check_going()?;
        let posted = self.transact(Write::Post, |writer| {
            writer.check_owner()?;
            writer.put_message(message)
        });
        let posted = posted.map_err(|failure| self.failed(&failure))?;
        self.checkpoint()?;
        Ok(posted)
    }

    fn inbox(&self, after: Option<&MessageId>) -> Result<Vec<InboxMessage>, StoreError> {
        let mut messages = self.say(self.messages())?;
        let position = after.and_then(|after| messages.iter().position(|m| m.message_id == *after));
        if let Some(position) = position {
            messages.drain(..=position);
        }
        Ok(messages)
    }

    fn discard(&mut self, run: Option<RunId>, message_id: &MessageId) -> Result<bool, StoreError> {
        self.check_going()?;
        let deleted = self.transact(Write::Discard, |writer| {
            writer.check_owner()?;
            Ok(writer
                .connection
                .prepare_cached("DELETE FROM inbox WHERE run = ?1 AND message_id = ?2")?
                .execute(params![message::run_column(run.as_ref()), message_id.0])?)
        });
        let deleted = deleted.map_err(|failure| self.failed(&failure))?;
        let posted = self.posted.get_mut();
        let finished = posted.finish(run, message_id);
        posted.sweep();
        Ok(deleted > 0 || finished)
    }

    fn started_by(&self, message_id: &MessageId) -> Result<Option<RunId>, StoreError> {
        self.say(query::run_started_by(&self.connection, message_id))
    }

    fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.say(query::describe(&self.connection, run))
    }

    fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.say(query::list(&self.connection, filter))
    }

    fn search(&self, search: &Search) -> Result<Vec<RunSummary>, StoreError> {
        self.say(search::find(&self.connection, search))
    }

    fn count(&self, search: &Search) -> Result<u64, StoreError> {
        self.say(search::count(&self.connection, search))
    }

    fn retain(&mut self, closed_before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.check_going()?;
        let old = self.say(retain::find(&self.connection, closed_before, limit))?;
        let gone = self.transact(Write::Retain, |writer| {
            writer.check_owner()?;
            retain::delete(writer.connection, &old, closed_before)?;
            writer.heads.clear();
            writer.chunks.clear();
            Ok(old.len())
        });
        let gone = gone.map_err(|failure| self.failed(&failure))?;
        self.checkpoint()?;
        Ok(gone)
    }
}
