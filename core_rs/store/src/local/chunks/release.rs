//! Deleting: a chunk goes with the last run that has it.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use crate::local::chunks::read;
use crate::local::error::Failure;

/// Those of the chunks that can be deleted: a damaged row must not keep its run for ever, and is
/// left behind.
pub(crate) fn whole(
    connection: &Connection,
    chunks: BTreeSet<i64>,
) -> Result<BTreeSet<i64>, Failure> {
    let mut row = connection.prepare_cached(read::SELECT)?;
    let mut whole = BTreeSet::new();
    for chunk in chunks {
        match read::select(&mut row, chunk) {
            Ok(Some(_)) => drop(whole.insert(chunk)),
            Ok(None) | Err(Failure::Damaged(_)) => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(whole)
}

/// Notes that a run needs a chunk no more, and deletes it when no other run does. A number that a
/// damaged batch gave in place of its own does no harm: the run does not use that chunk.
pub(crate) fn release(connection: &Connection, chunk: i64, run_key: i64) -> Result<(), Failure> {
    let released = connection
        .prepare_cached("DELETE FROM chunk_uses WHERE chunk = ?1 AND run_key = ?2")?
        .execute(params![chunk, run_key])?;
    if released > 0 {
        connection
            .prepare_cached(
                "DELETE FROM chunks WHERE chunk = ?1
                 AND NOT EXISTS (SELECT 1 FROM chunk_uses WHERE chunk = ?1)",
            )?
            .execute(params![chunk])?;
    }
    Ok(())
}
