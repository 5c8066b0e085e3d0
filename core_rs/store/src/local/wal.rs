//! The write-ahead log: written over and over in place, so that a commit is one sync of data.
//!
//! SQLite begins the log anew once all of it is in the database and no reader needs it. A file
//! that already has its length needs no metadata at a sync. So the log is given its length at the
//! start, and checkpoints, which cost syncs of their own, are rare.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use rusqlite::Connection;

use crate::local::error::Failure;
use crate::local::paths::beside;

/// Pages in the log after which a commit is followed by a checkpoint.
const CHECKPOINT_PAGES: i32 = 4_000;

/// The length the log is given: a checkpoint's worth of pages and one large group.
const PREALLOCATED_BYTES: usize = 18 * 1024 * 1024;

/// Watches the log of one connection.
#[derive(Debug)]
pub(crate) struct Wal {
    pages: Arc<AtomicI32>,
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
        Ok(Self { pages })
    }

    /// Copies the log into the database when it has grown long. A reader in the way is no error:
    /// what could not be copied is copied after a later commit.
    pub(crate) fn checkpoint_when_long(&self, connection: &Connection) -> Result<bool, Failure> {
        if self.pages.load(Ordering::Relaxed) < CHECKPOINT_PAGES {
            return Ok(false);
        }
        self.checkpoint(connection)?;
        Ok(true)
    }

    /// Copies the log into the database now.
    pub(crate) fn checkpoint(&self, connection: &Connection) -> Result<(), Failure> {
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        self.pages.store(0, Ordering::Relaxed);
        Ok(())
    }
}

/// Gives the log its length with zeros after its last byte, which SQLite reads as its end.
/// Without space the log grows as it is written, as it would have anyway.
pub(crate) fn preallocate(database: &Path) {
    let extend = || {
        let mut file = OpenOptions::new()
            .write(true)
            .open(beside(database, "-wal"))?;
        let mut length = usize::try_from(file.seek(SeekFrom::End(0))?).unwrap_or(usize::MAX);
        let zeros = vec![0_u8; 1024 * 1024];
        while length < PREALLOCATED_BYTES {
            length += file.write(&zeros)?;
        }
        file.sync_all()
    };
    // Only speed is lost when this fails.
    let _: std::io::Result<()> = extend();
}
