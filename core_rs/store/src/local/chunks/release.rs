//! Deleting: a chunk goes with the last run that has it.

use rusqlite::{Connection, OptionalExtension, params};

use crate::local::chunks::read::read_chunk;
use crate::local::error::Failure;

/// Notes that a run needs a chunk no more, and deletes it when no other run does. A number that a
/// damaged batch gave in place of its own does no harm: the run does not use that chunk.
pub(crate) fn release(connection: &Connection, chunk: i64, run_key: i64) -> Result<(), Failure> {
    let released = connection
        .prepare_cached("DELETE FROM chunk_uses WHERE chunk = ?1 AND run_key = ?2")?
        .execute(params![chunk, run_key])?;
    let is_used = connection
        .prepare_cached("SELECT 1 FROM chunk_uses WHERE chunk = ?1")?
        .exists(params![chunk])?;
    if released == 0 || is_used {
        return Ok(());
    }
    let row = connection
        .prepare_cached("SELECT digest, checksum, body FROM chunks WHERE chunk = ?1")?
        .query_row(params![chunk], |row| Ok(read_chunk(row, chunk, 0)))
        .optional()?;
    match row {
        Some(Ok(_)) => {
            connection
                .prepare_cached("DELETE FROM chunks WHERE chunk = ?1")?
                .execute(params![chunk])?;
            Ok(())
        }
        // A damaged row must not keep its run for ever: it is left behind.
        None | Some(Err(Failure::Damaged(_))) => Ok(()),
        Some(Err(failure)) => Err(failure),
    }
}
