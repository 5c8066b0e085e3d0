//! Reading: a stored batch becomes the bytes that were written, or a typed error.

use bytes::{Bytes, BytesMut};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Statement, params};
use rustc_hash::FxHashMap;

use crate::local::chunks;
use crate::local::chunks::stored::{self, Piece};
use crate::local::error::Failure;

/// Reads one chunk.
pub(super) const SELECT: &str = "SELECT digest, checksum, body FROM chunks WHERE chunk = ?1";

/// Puts batches together for one reading of a history. A chunk that several batches have is read
/// once.
pub(crate) struct ChunkReader<'store> {
    select: CachedStatement<'store>,
    read: FxHashMap<i64, Bytes>,
}

impl<'store> ChunkReader<'store> {
    pub(crate) fn new(connection: &'store Connection) -> Result<Self, Failure> {
        Ok(Self {
            select: connection.prepare_cached(SELECT)?,
            read: FxHashMap::default(),
        })
    }

    /// The batch that a row's body stands for.
    pub(crate) fn batch(&mut self, body: &[u8]) -> Result<Bytes, Failure> {
        if !stored::is_stored_form(body) {
            return Ok(Bytes::copy_from_slice(body));
        }
        let pieces = stored::pieces(body)
            .ok_or_else(|| Failure::Damaged("a batch has no known stored form".to_owned()))?;
        let mut batch = BytesMut::with_capacity(self.length(&pieces)?);
        for piece in &pieces {
            match piece {
                Piece::Bytes(bytes) => batch.extend_from_slice(bytes),
                Piece::Chunks(numbers) => {
                    for number in numbers {
                        batch.extend_from_slice(self.read.get(number).map_or(&[], |chunk| chunk));
                    }
                }
            }
        }
        Ok(batch.freeze())
    }

    /// Reads the chunks that are not read yet, and counts the bytes of the batch.
    fn length(&mut self, pieces: &[Piece<'_>]) -> Result<usize, Failure> {
        let mut length = 0;
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => length += bytes.len(),
                Piece::Chunks(numbers) => {
                    for number in numbers {
                        length += self.chunk(*number)?;
                    }
                }
            }
        }
        Ok(length)
    }

    fn chunk(&mut self, number: i64) -> Result<usize, Failure> {
        if let Some(chunk) = self.read.get(&number) {
            return Ok(chunk.len());
        }
        let chunk = select(&mut self.select, number)?
            .ok_or_else(|| Failure::Damaged(format!("chunk {number} is gone")))?;
        let length = chunk.len();
        self.read.insert(number, chunk);
        Ok(length)
    }
}

/// Reads a chunk by [`SELECT`]; `None` when it is not there.
pub(super) fn select(statement: &mut Statement<'_>, number: i64) -> Result<Option<Bytes>, Failure> {
    statement
        .query_row(params![number], |row| Ok(read_chunk(row, number, 0)))
        .optional()
        .map_err(|error| Failure::Sql(error).of_row(&format!("chunk {number}")))?
        .transpose()
}

/// Reads `digest, checksum, body`, which begin at column `first`.
pub(super) fn read_chunk(row: &Row<'_>, number: i64, first: usize) -> Result<Bytes, Failure> {
    let damaged = || Failure::Damaged(format!("chunk {number} fails its checksum"));
    let digest = row.get_ref(first)?.as_blob().map_err(|_| damaged())?;
    let body = row.get_ref(first + 2)?.as_blob().map_err(|_| damaged())?;
    if chunks::checksum(number, digest, body) != row.get::<_, i64>(first + 1)? {
        return Err(damaged());
    }
    Ok(Bytes::copy_from_slice(body))
}
