//! Writing: a large value becomes chunks, each of which is written unless the store has it.

use std::ops::Range;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;

use crate::local::chunks::cut::{Cuts, Part};
use crate::local::chunks::{self, ChunkDigest, stored};
use crate::local::error::Failure;

/// How many chunks are remembered, before those of a batch; about 40 bytes each.
const KNOWN_MAX: usize = 65_536;

/// No run has this key: they count from 1.
const NO_RUN: i64 = 0;

/// The chunks written or looked up lately, which the store is known to have whole.
#[derive(Debug, Default)]
pub(crate) struct KnownChunks {
    by_digest: FxHashMap<ChunkDigest, Known>,
    /// The highest number of a chunk, once it was asked for.
    last: Option<i64>,
}

/// Where a chunk lies, and the run that was last noted to use it.
#[derive(Clone, Copy, Debug)]
struct Known {
    chunk: i64,
    run_key: i64,
}

impl KnownChunks {
    /// Forgets everything: after a transaction that was rolled back, or a deletion.
    pub(crate) fn clear(&mut self) {
        self.by_digest.clear();
        self.last = None;
    }

    /// Looks up which chunks of a batch the store has already. This is done before the transaction
    /// of the batch begins: SQLite takes all of a transaction back that comes upon a damaged page.
    pub(crate) fn look_up(
        &mut self,
        connection: &Connection,
        batch: &Bytes,
        cuts: &Cuts,
    ) -> Result<(), Failure> {
        if self.by_digest.len() >= KNOWN_MAX {
            self.by_digest.clear();
        }
        for (digest, range) in cuts.chunks() {
            if !self.by_digest.contains_key(digest)
                && let Some(chunk) = find(connection, digest, slice(batch, range))?
            {
                let run_key = NO_RUN;
                self.by_digest.insert(*digest, Known { chunk, run_key });
            }
        }
        Ok(())
    }

    /// The body of the row of a batch that was cut, and looked up before. Writes the chunks that
    /// the store does not have.
    pub(crate) fn store(
        &mut self,
        connection: &Connection,
        run_key: i64,
        batch: &Bytes,
        cuts: &Cuts,
    ) -> Result<Vec<u8>, Failure> {
        let mut writer = stored::Writer::new();
        for part in &cuts.0 {
            match part {
                Part::Bytes(range) => writer.bytes(slice(batch, range)),
                Part::Chunks(chunks) => {
                    let mut numbers = Vec::with_capacity(chunks.len());
                    for (digest, range) in chunks {
                        let body = slice(batch, range);
                        numbers.push(self.put(connection, run_key, digest, body)?);
                    }
                    writer.chunks(&numbers);
                }
            }
        }
        Ok(writer.finish())
    }

    /// The number of a chunk, which the store then has, and notes to be used by the run.
    fn put(
        &mut self,
        connection: &Connection,
        run_key: i64,
        digest: &ChunkDigest,
        body: &[u8],
    ) -> Result<i64, Failure> {
        let known = self.by_digest.get(digest).copied();
        let chunk = match known {
            Some(known) if known.run_key == run_key => return Ok(known.chunk),
            Some(known) => known.chunk,
            None => self.insert(connection, digest, body)?,
        };
        connection
            .prepare_cached("INSERT OR IGNORE INTO chunk_uses (chunk, run_key) VALUES (?1, ?2)")?
            .execute(params![chunk, run_key])?;
        self.by_digest.insert(*digest, Known { chunk, run_key });
        Ok(chunk)
    }

    /// Writes a new chunk. Its number is under its checksum, so it is chosen here.
    fn insert(
        &mut self,
        connection: &Connection,
        digest: &ChunkDigest,
        body: &[u8],
    ) -> Result<i64, Failure> {
        let last = match self.last {
            Some(last) => last,
            None => connection
                .prepare_cached("SELECT ifnull(max(chunk), 0) FROM chunks")?
                .query_row([], |row| row.get(0))?,
        };
        let chunk = last + 1;
        connection
            .prepare_cached(
                "INSERT INTO chunks (chunk, digest, checksum, body) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                chunk,
                digest,
                chunks::checksum(chunk, digest, body),
                body
            ])?;
        self.last = Some(chunk);
        Ok(chunk)
    }
}

/// Looks a chunk up by its address. A row that is damaged is passed over, since no run may be built
/// on the damage: the chunk is written again, and found first from then on.
fn find(
    connection: &Connection,
    digest: &ChunkDigest,
    body: &[u8],
) -> Result<Option<i64>, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT chunk, digest, checksum, body FROM chunks WHERE digest = ?1
         ORDER BY chunk DESC LIMIT 1",
    )?;
    let found = statement
        .query_row(params![digest], |row| {
            let chunk = row.get(0)?;
            let is_whole = row.get_ref(1)?.as_blob().ok() == Some(&digest[..])
                && row.get_ref(3)?.as_blob().ok() == Some(body)
                && row.get::<_, i64>(2)? == chunks::checksum(chunk, digest, body);
            Ok(is_whole.then_some(chunk))
        })
        .optional()
        .map_err(|error| Failure::Sql(error).of_row("a chunk"));
    match found {
        Ok(chunk) => Ok(chunk.flatten()),
        Err(Failure::Damaged(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn slice<'batch>(batch: &'batch Bytes, range: &Range<usize>) -> &'batch [u8] {
    batch.get(range.clone()).unwrap_or_default()
}
