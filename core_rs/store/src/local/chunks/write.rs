//! Writing: a large value becomes chunks, each of which is written unless the store has it.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use perdure_history::Batch;
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;

use crate::local::chunks::{self, ChunkDigest, LARGE, cut, stored};
use crate::local::error::Failure;

/// How many chunks are remembered; about 40 bytes each.
const KNOWN_MAX: usize = 65_536;

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

    /// The body of a batch's row: the batch itself, unless it has a large value.
    pub(crate) fn store<'batch>(
        &mut self,
        connection: &Connection,
        run_key: i64,
        batch: &'batch Bytes,
    ) -> Result<Cow<'batch, [u8]>, Failure> {
        let large = match batch.len() {
            0..LARGE => Vec::new(),
            _ => Batch::large_values(batch, LARGE),
        };
        if large.is_empty() && !stored::is_stored_form(batch) {
            return Ok(Cow::Borrowed(batch));
        }
        let between = |range: Range<usize>| batch.get(range).unwrap_or_default();
        let mut writer = stored::Writer::new();
        let mut written = 0;
        for value in large {
            let (kept, cuts) = cut::cut(between(value.clone()));
            writer.bytes(between(written..value.start + kept.len()));
            let mut numbers = Vec::new();
            for chunk in cuts {
                numbers.push(self.put(connection, run_key, chunk)?);
            }
            writer.chunks(&numbers);
            written = value.end;
        }
        writer.bytes(between(written..batch.len()));
        Ok(Cow::Owned(writer.finish()))
    }

    /// The number of a chunk, which the store then has, and notes to be used by the run.
    fn put(&mut self, connection: &Connection, run_key: i64, body: &[u8]) -> Result<i64, Failure> {
        let digest = chunks::digest(body);
        let known = self.by_digest.get(&digest).copied();
        if let Some(known) = known
            && known.run_key == run_key
        {
            return Ok(known.chunk);
        }
        let chunk = match known {
            Some(known) => known.chunk,
            None => match find(connection, &digest, body)? {
                Some(chunk) => chunk,
                None => self.insert(connection, &digest, body)?,
            },
        };
        connection
            .prepare_cached("INSERT OR IGNORE INTO chunk_uses (chunk, run_key) VALUES (?1, ?2)")?
            .execute(params![chunk, run_key])?;
        if self.by_digest.len() >= KNOWN_MAX {
            self.by_digest.clear();
        }
        self.by_digest.insert(digest, Known { chunk, run_key });
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

/// Looks a chunk up by its address. A row that is damaged is passed over: no run may be built on
/// the damage, so that the chunk is written again.
fn find(
    connection: &Connection,
    digest: &ChunkDigest,
    body: &[u8],
) -> Result<Option<i64>, Failure> {
    let mut statement = connection
        .prepare_cached("SELECT chunk, digest, checksum, body FROM chunks WHERE digest = ?1")?;
    let mut rows = statement.query(params![digest])?;
    while let Some(row) = rows.next()? {
        let chunk = row.get(0)?;
        let is_whole = row.get_ref(1)?.as_blob().ok() == Some(&digest[..])
            && row.get_ref(3)?.as_blob().ok() == Some(body)
            && row.get::<_, i64>(2)? == chunks::checksum(chunk, digest, body);
        if is_whole {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}
