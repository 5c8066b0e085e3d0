//! Checking: every chunk is what its address says, and is kept for a run.

use rusqlite::Connection;

use crate::local::chunks;
use crate::local::chunks::read::read_chunk;
use crate::local::error::Failure;

/// Reads every chunk and compares it with its address; says how many there are.
pub(crate) fn check(connection: &Connection) -> Result<usize, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT digest, checksum, body, chunk FROM chunks")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    let of_next = |error| Failure::Sql(error).of_row("a chunk");
    while let Some(row) = rows.next().map_err(of_next)? {
        let number = row.get(3)?;
        let body = read_chunk(row, number, 0)?;
        if row.get_ref(0)?.as_blob().ok() != Some(&chunks::digest(&body)[..]) {
            return Err(Failure::Damaged(format!(
                "chunk {number} is not what its address says"
            )));
        }
        count += 1;
    }
    let lost: i64 = connection.query_row(
        "SELECT count(*) FROM chunk_uses
         WHERE NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.chunk = chunk_uses.chunk)",
        [],
        |row| row.get(0),
    )?;
    match lost {
        0 => Ok(count),
        lost => Err(Failure::Damaged(format!("{lost} chunks are gone"))),
    }
}
