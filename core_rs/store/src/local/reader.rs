//! Reading a store from another process while its owner writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use perdure_history::{MessageId, RunId};
use rusqlite::{Connection, OpenFlags};

use crate::filter::Search;
use crate::local::chunks::StoredSize;
use crate::local::error::{self, Failure};
use crate::local::paths::StorePaths;
use crate::local::schema::{self, Found};
use crate::local::{chunks, open_counts, query, recover, search};
use crate::query::{RunFilter, RunSummary};
use crate::store::StoreError;

/// How long a reader waits while an owner recovers the store.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// What a full check has read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Runs, open and closed.
    pub runs: usize,
    /// Batches of all their histories.
    pub batches: usize,
    /// Chunks of large values.
    pub chunks: usize,
}

/// A view of a store that never writes. Each call sees the last commit.
#[derive(Debug)]
pub struct LocalReader {
    connection: Connection,
    path: PathBuf,
}

impl LocalReader {
    /// Opens the store at `path` for reading.
    ///
    /// # Errors
    /// [`StoreError`] when there is no store, it cannot be read, or its format is newer.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let path = StorePaths::new(path)?.database;
        if schema::look(&path, schema::APPLICATION_ID)? == Found::Nothing {
            return Err(StoreError::Io {
                path: path.display().to_string(),
                reason: "there is no store yet: start a worker on it first".to_owned(),
            });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = schema::connect(&path, flags)?;
        let reader = Self { connection, path };
        let prepare = || -> Result<(), Failure> {
            reader.connection.busy_timeout(READ_TIMEOUT)?;
            schema::verify(&reader.connection, schema::APPLICATION_ID, schema::TABLES)?;
            schema::stand_in(&reader.connection)
        };
        reader.say(prepare())?;
        Ok(reader)
    }

    /// As [`Store::read`](crate::Store::read).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn read(&self, run: RunId, from_n: u64) -> Result<Vec<Bytes>, StoreError> {
        // One view for the whole chain: retention may delete the run meanwhile.
        let view = self
            .connection
            .unchecked_transaction()
            .map_err(Failure::Sql);
        let batches = view.and_then(|view| query::read(&view, run, from_n));
        self.say(batches)
    }

    /// What the history of a run takes; `None` when there is no such run.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn stored_size(&self, run: RunId) -> Result<Option<StoredSize>, StoreError> {
        let view = self
            .connection
            .unchecked_transaction()
            .map_err(Failure::Sql);
        self.say(view.and_then(|view| query::stored_size(&view, run)))
    }

    /// As [`Store::describe`](crate::Store::describe).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.say(query::describe(&self.connection, run))
    }

    /// Whether the run has taken up a message: what it says is in the history.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn has_consumed(&self, run: RunId, id: &MessageId) -> Result<bool, StoreError> {
        self.say(query::is_known(&self.connection, Some(&run), id))
    }

    /// As [`Store::list`](crate::Store::list).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.say(query::list(&self.connection, filter))
    }

    /// As [`Store::search`](crate::Store::search).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn search(&self, search: &Search) -> Result<Vec<RunSummary>, StoreError> {
        self.say(search::find(&self.connection, search))
    }

    /// As [`Store::count`](crate::Store::count).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn count(&self, search: &Search) -> Result<u64, StoreError> {
        self.say(search::count(&self.connection, search))
    }

    /// How many runs of a namespace are open, by workflow type.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn open_by_type(&self, namespace: &str) -> Result<Vec<(String, u64)>, StoreError> {
        self.say(open_counts::by_type(&self.connection, namespace))
    }

    /// The same by workflow type and by the values of a text attribute.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn open_by_value(
        &self,
        namespace: &str,
        attribute: &str,
    ) -> Result<Vec<(String, String, u64)>, StoreError> {
        self.say(open_counts::by_value(
            &self.connection,
            namespace,
            attribute,
        ))
    }

    /// Reads and checks all that is stored, which costs what is stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first damage found.
    pub fn check(&self) -> Result<Checked, StoreError> {
        let view = self
            .connection
            .unchecked_transaction()
            .map_err(Failure::Sql);
        self.say(view.and_then(|view| check(&view)))
    }

    /// Checks every page, and what is open, without following any history: for `perdure doctor`,
    /// which then reads one history after another.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first damage found.
    pub fn check_pages(&self) -> Result<(), StoreError> {
        let view = self
            .connection
            .unchecked_transaction()
            .map_err(Failure::Sql);
        self.say(view.and_then(|view| check_pages(&view)))
    }

    fn say<T>(&self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        outcome.map_err(|failure| error::from_failure(&self.connection, &self.path, &failure))
    }
}

fn check_pages(view: &Connection) -> Result<(), Failure> {
    let found: String = view.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Failure::Damaged(found));
    }
    recover::open_runs(view)?;
    Ok(())
}

fn check(view: &Connection) -> Result<Checked, Failure> {
    check_pages(view)?;
    let mut checked = Checked {
        chunks: chunks::check(view)?,
        ..Checked::default()
    };
    let mut filter = RunFilter {
        limit: 1_000,
        ..RunFilter::default()
    };
    loop {
        let page = query::list(view, &filter)?;
        let Some(last) = page.last() else { break };
        filter.before = Some(last.run);
        for summary in &page {
            checked.runs += 1;
            checked.batches += query::read(view, summary.run, 0)?.len();
        }
    }
    let stored: i64 = view.query_row("SELECT count(*) FROM batches", [], |row| row.get(0))?;
    if usize::try_from(stored) != Ok(checked.batches) {
        return Err(Failure::Damaged(format!(
            "{stored} batches are stored, and {} belong to runs",
            checked.batches
        )));
    }
    Ok(checked)
}
