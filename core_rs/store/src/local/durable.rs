//! One durable write as one transaction, with the places where a test lets the process die.

use rusqlite::Connection;

use crate::fail_points::{Way, Write, is_armed, reach};
use crate::local::error::Failure;

/// Runs `work` in a transaction: all of it is in the file when this returns, synced as the
/// connection syncs, or nothing is.
pub(crate) fn transact<T>(
    connection: &Connection,
    write: Write,
    work: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    reach(write, Way::Before);
    if is_armed(write, Way::AfterWrite) {
        connection.execute_batch("PRAGMA synchronous = OFF")?;
    }
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let result = work().and_then(|result| {
        if is_armed(write, Way::Torn) {
            // The pages reach the log without the commit that makes them count.
            connection.cache_flush()?;
        }
        reach(write, Way::Torn);
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(result)
    });
    if result.is_err() && !connection.is_autocommit() {
        // The transaction is void either way; what failed first is what is told.
        drop(connection.execute_batch("ROLLBACK"));
    }
    if result.is_ok() {
        reach(write, Way::AfterWrite);
        reach(write, Way::AfterSync);
    }
    result
}
