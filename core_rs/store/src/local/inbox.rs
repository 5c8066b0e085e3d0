//! The posted inbox: a database of its own, so that a stopped client never holds the owner's
//! write lock. The owner takes a message over by consuming its id in its own database; the row
//! here is deleted later, when nobody else writes, and a row left behind is known by its id.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use perdure_history::{MessageId, RunId};
use rusqlite::{Connection, OpenFlags, params};

use crate::append::InboxMessage;
use crate::fail_points::Write;
use crate::local::error::{self, Failure};
use crate::local::paths::StorePaths;
use crate::local::schema;
use crate::local::{durable, message};
use crate::store::StoreError;

/// How long a client waits for other clients that post.
const POST_TIMEOUT: Duration = Duration::from_secs(5);

/// A client's way to leave messages for the owner, also while none runs.
#[derive(Debug)]
pub struct Inbox {
    connection: Connection,
    path: PathBuf,
}

impl Inbox {
    /// Opens the inbox of the store at `path`, and makes it when it is not there.
    ///
    /// # Errors
    /// [`StoreError`] when the file is not an inbox, or the operating system refuses.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let paths = StorePaths::new(path)?;
        // A message must not be left for something that can never take it.
        schema::look(&paths.database, schema::APPLICATION_ID)?;
        let connection = open(&paths.inbox, "FULL", POST_TIMEOUT)?;
        Ok(Self {
            connection,
            path: paths.inbox,
        })
    }

    /// Puts a message durably into the inbox; `false` when it waits there already. Whether it was
    /// consumed before is for the owner to say.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be made durable.
    pub fn post(&mut self, message: &InboxMessage) -> Result<bool, StoreError> {
        let connection = &self.connection;
        let inserted = durable::transact(connection, Write::InboxPost, || {
            let mut statement = connection.prepare_cached(
                "INSERT INTO posted (run, message_id, received_at, body, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (run, message_id) DO NOTHING",
            )?;
            Ok(statement.execute(params![
                message::run_column(message.run.as_ref()),
                message.message_id.0,
                message.received_at.as_micros(),
                &message.body[..],
                message::checksum(message),
            ])?)
        });
        inserted
            .map(|count| count == 1)
            .map_err(|failure| error::from_failure(connection, &self.path, &failure))
    }
}

/// The owner's view of the posted inbox.
#[derive(Debug)]
pub(crate) struct Posted {
    connection: Connection,
    /// Rows read and not yet deleted, by what they are.
    seen: HashMap<(Option<RunId>, MessageId), i64>,
    /// Rows that are done with: deleted when the file is free.
    done: Vec<i64>,
}

impl Posted {
    /// Opens it for the owner, whose deletions need no sync: one that is lost is done again.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = open(path, "NORMAL", Duration::ZERO)?;
        schema::check(&connection, &["posted"])
            .map_err(|failure| error::from_failure(&connection, path, &failure))?;
        Ok(Self {
            connection,
            seen: HashMap::new(),
            done: Vec::new(),
        })
    }

    /// The last receipt ever given.
    pub(crate) fn last_receipt(&self) -> Result<i64, Failure> {
        Ok(self
            .connection
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence")?
            .query_row([], |row| row.get(0))?)
    }

    /// Whether a message waits here.
    pub(crate) fn contains(&self, run: Option<&RunId>, id: &MessageId) -> Result<bool, Failure> {
        Ok(self
            .connection
            .prepare_cached("SELECT 1 FROM posted WHERE run = ?1 AND message_id = ?2")?
            .exists(params![message::run_column(run), id.0])?)
    }

    /// All messages here with their receipts, in order.
    pub(crate) fn read(&mut self) -> Result<Vec<(i64, InboxMessage)>, Failure> {
        let mut messages = Vec::new();
        let mut statement = self.connection.prepare_cached(
            "SELECT receipt, run, message_id, received_at, body, checksum FROM posted
             ORDER BY receipt",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            messages.push((row.get(0)?, message::read(row, 1, message::checksum)?));
        }
        let known = |(receipt, message): &(i64, InboxMessage)| {
            ((message.run, message.message_id.clone()), *receipt)
        };
        self.seen = messages.iter().map(known).collect();
        Ok(messages)
    }

    /// Notes that a message is done with. `false` when it was never read from here.
    pub(crate) fn finish(&mut self, run: Option<RunId>, id: &MessageId) -> bool {
        match self.seen.remove(&(run, id.clone())) {
            Some(receipt) => {
                self.done.push(receipt);
                true
            }
            None => false,
        }
    }

    /// Deletes what is done with, unless another process is writing just now.
    pub(crate) fn sweep(&mut self) {
        if self.done.is_empty() {
            return;
        }
        let deleted = durable::transact(&self.connection, Write::Sweep, || {
            let sql = "DELETE FROM posted WHERE receipt = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            for receipt in &self.done {
                statement.execute(params![receipt])?;
            }
            Ok(())
        });
        // A row that stays is filtered by its id at every read, and deleted another time.
        if deleted.is_ok() {
            self.done.clear();
        }
    }
}

fn open(path: &Path, synchronous: &str, timeout: Duration) -> Result<Connection, StoreError> {
    schema::look(path, schema::INBOX_APPLICATION_ID)?;
    let flags = OpenFlags::default() - OpenFlags::SQLITE_OPEN_URI;
    let connection = schema::connect(path, flags)?;
    let prepare = || -> Result<(), Failure> {
        connection.busy_timeout(POST_TIMEOUT)?;
        let id = schema::INBOX_APPLICATION_ID;
        schema::create_unless_there(&connection, id, schema::INBOX_TABLES)?;
        schema::verify(&connection, id, schema::INBOX_TABLES)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", synchronous)?;
        connection.busy_timeout(timeout)?;
        Ok(())
    };
    prepare().map_err(|failure| error::from_failure(&connection, path, &failure))?;
    Ok(connection)
}
