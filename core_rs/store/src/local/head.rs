//! What a write needs to know of its run, kept in memory while the owner lives.

use std::collections::HashMap;

use perdure_history::RunId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::local::checksum::Checksum;
use crate::local::error::Failure;
use crate::local::inline::Inline;
use crate::local::query;

/// How many heads are kept in memory; some hundred bytes each.
const HEADS_MAX: usize = 16_384;

/// The place where a run's next write fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The run's number inside the database.
    pub(crate) run_key: i64,
    /// The number of its last record.
    pub(crate) last_n: u64,
    /// Where its last batch lies; 0 when it has none.
    pub(crate) last_batch: i64,
    /// Whether it is open.
    pub(crate) open: bool,
}

/// The place, and what is outstanding there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) place: Place,
    pub(crate) outstanding: Inline,
}

/// The checksum of an open run's row.
pub(crate) fn checksum(run_key: i64, last_n: i64, last_batch: i64, outstanding: &[u8]) -> i64 {
    Checksum::new()
        .number(run_key)
        .number(last_n)
        .number(last_batch)
        .bytes(outstanding)
        .finish()
}

/// The heads of the runs written lately.
#[derive(Debug, Default)]
pub(crate) struct Heads(HashMap<RunId, Head>);

impl Heads {
    /// The place of a run, from memory or from the database.
    pub(crate) fn find(
        &mut self,
        connection: &Connection,
        run: RunId,
    ) -> Result<Option<Place>, Failure> {
        if let Some(head) = self.0.get(&run) {
            return Ok(Some(head.place));
        }
        let found = load(connection, run)?;
        let place = found.as_ref().map(|head| head.place);
        if let Some(head) = found {
            self.keep(run, head);
        }
        Ok(place)
    }

    /// Takes the head of a run out, to be changed and kept again.
    pub(crate) fn take(&mut self, run: RunId) -> Option<Head> {
        self.0.remove(&run)
    }

    /// Keeps a head as it is after a write.
    pub(crate) fn keep(&mut self, run: RunId, head: Head) {
        if self.0.len() >= HEADS_MAX {
            self.0.clear();
        }
        self.0.insert(run, head);
    }

    /// Forgets everything, after a transaction that was rolled back.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Reads the head of a run.
pub(crate) fn load(connection: &Connection, run: RunId) -> Result<Option<Head>, Failure> {
    let Some(row) = query::find_run(connection, run)? else {
        return Ok(None);
    };
    let run_key = row.run_key;
    if row.closed_at.is_some() {
        let place = Place {
            run_key,
            last_n: row.last_n.cast_unsigned(),
            last_batch: row.last_batch,
            open: false,
        };
        return Ok(Some(Head {
            place,
            outstanding: Inline::default(),
        }));
    }
    let sql = "SELECT run_key, last_n, last_batch, outstanding, checksum
               FROM live WHERE run_key = ?1";
    let head = connection
        .prepare_cached(sql)?
        .query_row(params![run_key], |row| Ok(read(row, 0)))
        .optional()?;
    match head {
        Some(head) => head.map(Some),
        None => Err(Failure::Damaged(format!("open run {run} has no head"))),
    }
}

/// Reads `run_key, last_n, last_batch, outstanding, checksum`, which begin at column `first`.
pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Head, Failure> {
    let run_key = row.get(first)?;
    let (last_n, last_batch): (i64, i64) = (row.get(first + 1)?, row.get(first + 2)?);
    let damaged = || Failure::Damaged(format!("the head of run number {run_key} is not whole"));
    let bytes = row.get_ref(first + 3)?.as_blob().map_err(|_| damaged())?;
    if checksum(run_key, last_n, last_batch, bytes) != row.get::<_, i64>(first + 4)? {
        return Err(damaged());
    }
    let outstanding = Inline::decode(bytes).ok_or_else(damaged)?;
    let place = Place {
        run_key,
        last_n: last_n.cast_unsigned(),
        last_batch,
        open: true,
    };
    Ok(Head { place, outstanding })
}
