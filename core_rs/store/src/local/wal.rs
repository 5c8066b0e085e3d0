//! The write-ahead log: written over and over in place, so that a commit is one sync of data.
//!
//! SQLite begins the log anew once all of it is in the database and no reader needs it. A file
//! that already has its length needs no metadata at a sync. So the log is lengthened ahead of its
//! use, in steps, and checkpoints, which cost syncs of their own, are rare.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;

use crate::fail_points::{Way, Write, reach};
use crate::local::error::Failure;
use crate::local::paths::beside;

/// Pages in the log after which a commit is followed by a checkpoint.
const CHECKPOINT_PAGES: i32 = 4_000;

/// Bytes of a page and its header in the log.
const FRAME_BYTES: u64 = 4_096 + 24;

/// How far ahead of its use the log is lengthened at a time.
const STEP_BYTES: usize = 2 * 1024 * 1024;

/// How near to its end the log may be used before it is lengthened.
const NEAR_BYTES: u64 = 1024 * 1024;

/// Watches the log of one connection.
#[derive(Debug)]
pub(crate) struct Wal {
    pages: Arc<AtomicI32>,
    /// The log's file, for lengthening; gone when that has failed, which costs speed alone.
    file: Option<File>,
    length: u64,
}

impl Wal {
    /// Takes over from SQLite's own checkpoints, which drop the errors they meet.
    pub(crate) fn watch(connection: &mut Connection) -> Result<Self, Failure> {
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
            seen.store(count, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self {
            pages,
            file: None,
            length: 0,
        })
    }

    /// Finds the log's file, once there is one.
    pub(crate) fn find_file(&mut self, database: &Path) {
        // Appending alone: another program's pages at the end of the log are never written over.
        self.file = OpenOptions::new()
            .append(true)
            .open(beside(database, "-wal"))
            .ok();
        self.lengthen();
    }

    /// Lengthens the log when its end is near, with zeros, which SQLite reads as its end. They
    /// become durable with the next commit.
    pub(crate) fn lengthen(&mut self) {
        let pages = u64::from(self.pages.load(Ordering::Relaxed).cast_unsigned());
        let needed = pages * FRAME_BYTES + NEAR_BYTES;
        if needed <= self.length {
            return;
        }
        let Some(file) = &mut self.file else { return };
        let lengthened = file.metadata().and_then(|metadata| {
            self.length = metadata.len();
            if self.length < needed {
                file.write_all(&vec![0; STEP_BYTES])?;
                self.length += STEP_BYTES as u64;
            }
            Ok(())
        });
        if lengthened.is_err() {
            self.file = None;
        }
    }

    /// Copies the log into the database when it has grown long.
    pub(crate) fn checkpoint_when_long(&self, connection: &Connection) -> Result<(), Failure> {
        if self.pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return Ok(());
        }
        self.checkpoint(connection).map(|_| ())
    }

    /// Copies the log into the database now. A reader in the way is no error: what could not be
    /// copied is copied after a later commit, and the answer is `false`.
    pub(crate) fn checkpoint(&self, connection: &Connection) -> Result<bool, Failure> {
        reach(Write::Checkpoint, Way::Before);
        let sql = "PRAGMA wal_checkpoint(PASSIVE)";
        let (busy, in_log, copied): (bool, i64, i64) =
            connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        self.pages.store(0, Ordering::Relaxed);
        reach(Write::Checkpoint, Way::AfterSync);
        Ok(!busy && in_log == copied)
    }
}
