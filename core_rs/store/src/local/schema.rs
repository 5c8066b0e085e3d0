//! The tables, and whether a file holds them.
//!
//! What a turn writes lies close together, so that a commit writes few pages: batches of all runs
//! follow each other in log order, each with the place of its run's batch before, and what a run
//! has outstanding lies in its own row while it is little.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::fail_points::Write;
use crate::local::durable;
use crate::local::error::{self, Failure};
use crate::local::open_counts;
use crate::local::page_checks::{self, PAGE_BYTES, RESERVED_AT, RESERVED_BYTES, TABLE_LEAF};
use crate::local::paths::beside;
use crate::store::StoreError;

/// The format written by this version. Format 1 was never released.
pub(crate) const FORMAT: u32 = 3;

/// The oldest that is read. An owner brings it to the present one when it opens the store.
const OLDEST_FORMAT: u32 = 2;

/// Marks a file as a Perdure store: `PRDR`.
pub(crate) const APPLICATION_ID: u32 = 0x5052_4452;

/// Marks a file as the inbox of one: `PRDI`.
pub(crate) const INBOX_APPLICATION_ID: u32 = 0x5052_4449;

/// The tables of `app.db`.
pub(crate) const TABLES: &str = "
CREATE TABLE owner (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
);
INSERT INTO owner (id, epoch) VALUES (1, 0);
-- One row a run. What does not change is under the first checksum, the rest under the second.
-- While a run is open, its last_n and last_batch lie in its head and are zero here.
CREATE TABLE runs (
    run_key INTEGER PRIMARY KEY,
    run BLOB NOT NULL,
    namespace TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    start_digest BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    status INTEGER NOT NULL,
    status_detail BLOB NOT NULL,
    closed_at INTEGER,
    last_n INTEGER NOT NULL,
    last_batch INTEGER NOT NULL,
    status_checksum INTEGER NOT NULL
);
CREATE UNIQUE INDEX runs_by_run ON runs (run);
CREATE UNIQUE INDEX runs_by_start ON runs (start_digest);
CREATE INDEX runs_by_workflow ON runs (namespace, workflow_id, run_key);
CREATE INDEX runs_by_close ON runs (closed_at, run) WHERE closed_at IS NOT NULL;
-- Open runs: where the next write fits, and what is outstanding while that is little. The rest
-- lies in rows of its own.
CREATE TABLE live (
    run_key INTEGER PRIMARY KEY,
    last_n INTEGER NOT NULL,
    last_batch INTEGER NOT NULL,
    outstanding BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE outstanding (
    run_key INTEGER NOT NULL,
    command_n INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    state BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (run_key, command_n)
) WITHOUT ROWID;
CREATE TABLE batches (
    batch INTEGER PRIMARY KEY,
    run_key INTEGER NOT NULL,
    last_n INTEGER NOT NULL,
    batch_before INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
-- The ids that a run has consumed, as 128-bit digests.
CREATE TABLE consumed (
    run_key INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (run_key, digest)
) WITHOUT ROWID;
-- Messages that came through the owner. A start has an empty run. `after_posted` is the last row
-- of the posted inbox when this one came, so that both inboxes have one order of receipt.
CREATE TABLE inbox (
    receipt INTEGER PRIMARY KEY,
    after_posted INTEGER NOT NULL,
    run BLOB NOT NULL,
    message_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE UNIQUE INDEX inbox_by_id ON inbox (run, message_id);
";

/// What format 3 has added to format 2: what runs are found by.
pub(crate) const SEARCH_TABLES: &str = "
-- The search attributes and the memo of a run, where it has any.
CREATE TABLE visibility (
    run_key INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
-- The same search attributes, by name and value; a list has a row for each element.
CREATE TABLE attributes (
    name TEXT NOT NULL,
    class INTEGER NOT NULL,
    value NOT NULL,
    run_key INTEGER NOT NULL,
    PRIMARY KEY (name, class, value, run_key)
) WITHOUT ROWID;
-- What was granted of rate limits, by key and the end of a slice of time.
CREATE TABLE rates (
    key TEXT NOT NULL,
    slice INTEGER NOT NULL,
    units INTEGER NOT NULL,
    until INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (key, slice)
) WITHOUT ROWID;
-- All that most queries look at, so that they need no row of `runs` but those that are given.
CREATE INDEX runs_by_time ON runs (namespace, started_at, run, status, workflow_type);
";

/// What format 3 has added to format 2: large values, kept once each.
pub(crate) const CHUNK_TABLES: &str = "
CREATE TABLE chunks (
    chunk INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX chunks_by_digest ON chunks (digest);
-- Which runs have a chunk: it goes with the last of them.
CREATE TABLE chunk_uses (
    chunk INTEGER NOT NULL,
    run_key INTEGER NOT NULL,
    PRIMARY KEY (chunk, run_key)
) WITHOUT ROWID;
";

/// Tables that format 3 has added to format 2, made when they are missing.
struct Added {
    /// One of them: where it is, all are.
    table: &'static str,
    tables: &'static str,
    /// What a reader, who cannot make them, reads in their place.
    stand_in: &'static str,
}

/// Each part of what was added.
const ADDED: &[Added] = &[
    Added {
        table: "visibility",
        tables: SEARCH_TABLES,
        stand_in: "
            CREATE TEMP TABLE visibility (run_key INTEGER PRIMARY KEY, body BLOB, checksum);
            CREATE TEMP TABLE attributes (name, class, value, run_key);",
    },
    Added {
        table: "chunks",
        tables: CHUNK_TABLES,
        stand_in: "
            CREATE TEMP TABLE chunks (chunk INTEGER PRIMARY KEY, digest, checksum, body);
            CREATE TEMP TABLE chunk_uses (chunk, run_key);",
    },
];

/// The table of `app.db-inbox`. Its numbers are never used again, so that they order receipts.
pub(crate) const INBOX_TABLES: &str = "
CREATE TABLE posted (
    receipt INTEGER PRIMARY KEY AUTOINCREMENT,
    run BLOB NOT NULL,
    message_id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE UNIQUE INDEX posted_by_id ON posted (run, message_id);
";

/// Where the page of the schema begins, behind the header.
const SCHEMA_AT: usize = 100;

/// What is looked at of a file before SQLite is.
const HEADER_BYTES: usize = SCHEMA_AT + 1;

/// What the first bytes of a file say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no file, or an empty one: a store can be made here.
    Nothing,
    /// A store of this format.
    Store,
}

/// Looks at a file's header without SQLite, which would take any database for ours.
pub(crate) fn look(path: &Path, application_id: u32) -> Result<Found, StoreError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    match File::open(path) {
        Ok(file) => file
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut header)
            .map_err(|reason| error::from_io(path, &reason))?,
        Err(reason) if reason.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(reason) => return Err(error::from_io(path, &reason)),
    };
    let unmade = header.iter().all(|byte| *byte == 0) && beside(path, "-journal").exists();
    if header.is_empty() || unmade {
        // The second: a process was killed while it made the tables; SQLite takes them back.
        return Ok(Found::Nothing);
    }
    let name = || path.display().to_string();
    let big_endian = |at: usize| {
        let bytes = header.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    if !header.starts_with(b"SQLite format 3\0") {
        return Err(StoreError::NotAStore { path: name() });
    }
    let (Some(format), Some(found_id)) = (big_endian(60), big_endian(68)) else {
        return Err(StoreError::Damaged {
            path: name(),
            reason: format!("the header ends after {} bytes", header.len()),
        });
    };
    if found_id == 0 && format == 0 {
        // Any new database looks so: whether it has other tables is seen when ours are made.
        return Ok(Found::Nothing);
    }
    if found_id != application_id {
        return Err(StoreError::NotAStore { path: name() });
    }
    if format > FORMAT {
        return Err(StoreError::NewerFormat {
            path: name(),
            found: format,
            supported: FORMAT,
        });
    }
    if format < OLDEST_FORMAT {
        return Err(StoreError::OlderFormat {
            path: name(),
            found: format,
            supported: OLDEST_FORMAT,
        });
    }
    if !is_consistent(&header, format) {
        return Err(StoreError::Damaged {
            path: name(),
            reason: "its header contradicts itself".to_owned(),
        });
    }
    Ok(Found::Store)
}

/// Whether the header says of pages what its format does, and whether the schema lies whole in the
/// first page, which is always checked.
fn is_consistent(header: &[u8], format: u32) -> bool {
    let page_bytes = u16::try_from(PAGE_BYTES).unwrap_or_default().to_be_bytes();
    (OLDEST_FORMAT..=FORMAT).contains(&format)
        && header.get(16..18) == Some(&page_bytes)
        && header.get(RESERVED_AT) == Some(&RESERVED_BYTES)
        && header.get(SCHEMA_AT) == Some(&TABLE_LEAF)
}

/// Makes the tables, all or none. Whether they are there is asked of SQLite, which first takes back
/// what a process that was killed over them has left.
pub(crate) fn create_unless_there(
    connection: &Connection,
    application_id: u32,
    tables: &str,
) -> Result<(), Failure> {
    if number(connection, "application_id")? != 0 {
        return Ok(());
    }
    page_checks::reserve(connection)?;
    durable::transact(connection, Write::Create, || {
        // Asked again under the lock: another process may just have made them.
        if number(connection, "application_id")? == application_id {
            return Ok(());
        }
        let others: u32 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if others > 0 {
            return Err(not_a_store(connection));
        }
        connection.pragma_update(None, "application_id", application_id)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
        connection.execute_batch(tables)?;
        if application_id == APPLICATION_ID {
            for added in ADDED {
                connection.execute_batch(added.tables)?;
            }
        }
        Ok(())
    })
}

/// Brings a store of an older format to the present one, all or nothing.
pub(crate) fn upgrade(connection: &Connection) -> Result<(), Failure> {
    let missing = missing(connection)?;
    let is_older = number(connection, "user_version")? < FORMAT;
    if missing.is_empty() && !is_older {
        return Ok(());
    }
    durable::transact(connection, Write::Create, || {
        for added in &missing {
            connection.execute_batch(added.tables)?;
        }
        if is_older {
            open_counts::index_patches(connection)?;
        }
        connection.pragma_update(None, "user_version", FORMAT)?;
        Ok(())
    })
}

/// The added parts that a database does not have. The page that says so is always checked.
fn missing(connection: &Connection) -> rusqlite::Result<Vec<&'static Added>> {
    let mut missing = Vec::new();
    for added in ADDED {
        if !connection.table_exists(Some("main"), added.table)? {
            missing.push(added);
        }
    }
    Ok(missing)
}

/// Lets a reader look at a store of an older format, which it cannot change, as at one in which
/// no run has attributes or large values.
pub(crate) fn stand_in(connection: &Connection) -> Result<(), Failure> {
    for added in missing(connection)? {
        connection.execute_batch(added.stand_in)?;
    }
    Ok(())
}

/// Asks SQLite what the header says, after it has recovered the file.
pub(crate) fn verify(
    connection: &Connection,
    application_id: u32,
    tables: &str,
) -> Result<(), Failure> {
    if number(connection, "application_id")? != application_id {
        return Err(not_a_store(connection));
    }
    let found = number(connection, "user_version")?;
    if found > FORMAT {
        let path = connection.path().unwrap_or_default().to_owned();
        return Err(Failure::Store(StoreError::NewerFormat {
            path,
            found,
            supported: FORMAT,
        }));
    }
    let expected = Connection::open_in_memory()?;
    expected.execute_batch(tables)?;
    if application_id == APPLICATION_ID {
        for added in ADDED {
            if connection.table_exists(Some("main"), added.table)? {
                expected.execute_batch(added.tables)?;
            }
        }
    }
    if declarations(connection)? != declarations(&expected)? {
        return Err(Failure::Damaged(
            "its tables are not those of its format".to_owned(),
        ));
    }
    Ok(())
}

fn declarations(connection: &Connection) -> rusqlite::Result<Vec<[Option<String>; 4]>> {
    connection
        .prepare(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema
             WHERE name NOT LIKE 'sqlite_%' ORDER BY name",
        )?
        .query_map([], |row| {
            Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        })?
        .collect()
}

fn not_a_store(connection: &Connection) -> Failure {
    let path = connection.path().unwrap_or_default().to_owned();
    Failure::Store(StoreError::NotAStore { path })
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

/// Looks for damage where a restart reads: what is open, and who owned it last. This costs what is
/// outstanding, not what is stored; the rest is checked row by row as it is read.
pub(crate) fn check(connection: &Connection, tables: &[&str]) -> Result<(), Failure> {
    for table in tables {
        let found: String =
            connection.query_row(&format!("PRAGMA quick_check({table})"), [], |row| {
                row.get(0)
            })?;
        if found != "ok" {
            return Err(Failure::Damaged(format!("{table}: {found}")));
        }
    }
    Ok(())
}

/// What a restart reads of `app.db`.
pub(crate) const READ_AT_OPEN: &[&str] = &[
    "owner",
    "live",
    "outstanding",
    "inbox",
    "visibility",
    "rates",
];

/// Opens a database with its pages checked.
pub(crate) fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    page_checks::register()
        .and_then(|()| {
            Ok(Connection::open_with_flags_and_vfs(
                path,
                flags,
                page_checks::NAME,
            )?)
        })
        .map_err(|failure| match failure {
            Failure::Sql(reason) => error::from_sql(path, &reason),
            Failure::Store(error) => error,
            Failure::Damaged(reason) => StoreError::Damaged {
                path: path.display().to_string(),
                reason,
            },
        })
}

/// Whether the file holds all the pages that the database has, once its log is copied into it.
pub(crate) fn check_length(connection: &Connection, path: &Path) -> Result<(), Failure> {
    let pages: u32 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
    let length = std::fs::metadata(path)
        .map_err(|reason| Failure::Store(error::from_io(path, &reason)))?
        .len();
    if length < u64::from(pages) * PAGE_BYTES as u64 {
        return Err(Failure::Damaged(format!(
            "it has {length} bytes, and {pages} pages were written"
        )));
    }
    Ok(())
}
