//! Reading a store from another process while its owner writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use perdure_history::RunId;
use rusqlite::{Connection, OpenFlags};

use crate::local::error::{self, Failure};
use crate::local::paths::StorePaths;
use crate::local::query;
use crate::local::schema::{self, Found};
use crate::query::{RunFilter, RunSummary};
use crate::store::StoreError;

/// How long a reader waits while an owner recovers the store.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

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
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|reason| error::from_sql(&path, &reason))?;
        let reader = Self { connection, path };
        let prepare = || -> Result<(), Failure> {
            reader.connection.busy_timeout(READ_TIMEOUT)?;
            schema::verify(&reader.connection, schema::APPLICATION_ID, schema::TABLES)
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

    /// As [`Store::describe`](crate::Store::describe).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn describe(&self, run: RunId) -> Result<Option<RunSummary>, StoreError> {
        self.say(query::describe(&self.connection, run))
    }

    /// As [`Store::list`](crate::Store::list).
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, StoreError> {
        self.say(query::list(&self.connection, filter))
    }

    fn say<T>(&self, outcome: Result<T, Failure>) -> Result<T, StoreError> {
        outcome.map_err(|failure| error::from_failure(&self.connection, &self.path, &failure))
    }
}
