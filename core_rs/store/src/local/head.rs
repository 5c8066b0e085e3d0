//! What a write needs to know of its run, kept in memory while the owner lives.

use std::collections::HashMap;

use perdure_history::RunId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::local::checksum::Checksum;
use crate::local::error::Failure;

/// How many heads are kept in memory; about 100 bytes each.
const HEADS_MAX: usize = 65_536;

/// The place where a run's next write fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The run's number inside the database.
    pub(crate) run_key: i64,
    /// The number of its last record.
    pub(crate) last_n: u64,
    /// Where its last batch lies; 0 when it has none.
    pub(crate) last_batch: i64,
    /// Whether it is open.
    pub(crate) open: bool,
}

/// The checksum of a head's row.
pub(crate) fn checksum(run_key: i64, next_wake: Option<i64>, last_n: i64, last_batch: i64) -> i64 {
    Checksum::new()
        .number(run_key)
        .option(next_wake)
        .number(last_n)
        .number(last_batch)
        .finish()
}

/// The heads of the runs written lately.
#[derive(Debug, Default)]
pub(crate) struct Heads(HashMap<RunId, Head>);

impl Heads {
    /// The head of a run, from memory or from the database.
    pub(crate) fn find(
        &mut self,
        connection: &Connection,
        run: RunId,
    ) -> Result<Option<Head>, Failure> {
        if let Some(head) = self.0.get(&run) {
            return Ok(Some(*head));
        }
        let found = load(connection, run)?;
        if let Some(head) = found {
            self.keep(run, head);
        }
        Ok(found)
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
    let sql = "SELECT run_key, closed_at, last_n, last_batch FROM runs WHERE run = ?1";
    let row = connection
        .prepare_cached(sql)?
        .query_row(params![run.0], |row| {
            Ok((
                row.get(0)?,
                row.get::<_, Option<i64>>(1)?,
                row.get::<_, i64>(2)?,
                row.get(3)?,
            ))
        })
        .optional()?;
    let Some((run_key, closed_at, last_n, last_batch)) = row else {
        return Ok(None);
    };
    if closed_at.is_some() {
        let last_n = last_n.cast_unsigned();
        return Ok(Some(Head {
            run_key,
            last_n,
            last_batch,
            open: false,
        }));
    }
    let sql = "SELECT due_at, last_n, last_batch, checksum FROM live
               WHERE run_key = ?1 AND command_n = 0";
    let head = connection
        .prepare_cached(sql)?
        .query_row(params![run_key], |row| Ok(read_open(run_key, row)))
        .optional()?;
    match head {
        Some(head) => head.map(Some),
        None => Err(Failure::Damaged(format!("open run {run} has no head"))),
    }
}

fn read_open(run_key: i64, row: &Row<'_>) -> Result<Head, Failure> {
    let (last_n, last_batch) = (row.get(1)?, row.get(2)?);
    if checksum(run_key, row.get(0)?, last_n, last_batch) != row.get::<_, i64>(3)? {
        return Err(Failure::Damaged(format!(
            "the head of run number {run_key} fails its checksum"
        )));
    }
    Ok(Head {
        run_key,
        last_n: last_n.cast_unsigned(),
        last_batch,
        open: true,
    })
}
