//! What the history of a run takes.

use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;

use crate::local::chunks::stored::{self, Piece};
use crate::local::error::Failure;
use crate::local::head::Head;

/// What the history of a run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredSize {
    /// Bytes of its batches, as they are read.
    pub history_bytes: u64,
    /// Bytes that are stored for it, each chunk counted once.
    pub stored_bytes: u64,
    /// Large values in it, which lie in chunks.
    pub large_values: u64,
    /// Chunks that they lie in, each counted once.
    pub chunks: u64,
}

/// What the history takes that ends where `head` says.
pub(crate) fn size(connection: &Connection, head: &Head) -> Result<StoredSize, Failure> {
    let mut batches =
        connection.prepare_cached("SELECT batch_before, body FROM batches WHERE batch = ?1")?;
    let mut lengths =
        connection.prepare_cached("SELECT length(body) FROM chunks WHERE chunk = ?1")?;
    let mut size = StoredSize::default();
    let mut known: FxHashMap<i64, u64> = FxHashMap::default();
    let mut at = head.place.last_batch;
    while at != 0 {
        let read = batches.query_row(params![at], |row| {
            let body = row.get_ref(1)?.as_blob().unwrap_or_default();
            size.stored_bytes += body.len() as u64;
            let mut chunks = Vec::new();
            for piece in stored::pieces(body).unwrap_or_else(|| vec![Piece::Bytes(body)]) {
                match piece {
                    Piece::Bytes(bytes) => size.history_bytes += bytes.len() as u64,
                    Piece::Chunks(numbers) => {
                        size.large_values += 1;
                        chunks.extend(numbers);
                    }
                }
            }
            Ok((row.get::<_, i64>(0)?, chunks))
        });
        let Some((before, chunks)) = read.optional()?.filter(|(before, _)| *before < at) else {
            return Err(Failure::Damaged(format!(
                "batch {at} is gone or out of order"
            )));
        };
        for chunk in chunks {
            let length = match known.get(&chunk) {
                Some(length) => *length,
                None => {
                    let length = lengths
                        .query_row(params![chunk], |row| row.get::<_, i64>(0))
                        .optional()?
                        .ok_or_else(|| Failure::Damaged(format!("chunk {chunk} is gone")))?
                        .cast_unsigned();
                    size.stored_bytes += length;
                    known.insert(chunk, length);
                    length
                }
            };
            size.history_bytes += length;
        }
        at = before;
    }
    size.chunks = known.len() as u64;
    Ok(size)
}
