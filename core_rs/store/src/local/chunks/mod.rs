//! Large values of batches, kept once each.
//!
//! A batch that holds a value of [`LARGE`] bytes or more lies in its row in the stored form of
//! [`stored`]: the value is cut where its content says, and each chunk is kept once in the store,
//! whichever batches and runs have it. So an agent's context that is passed to every step costs
//! what was added to it. Above the store nobody sees this: a batch is read back byte for byte.
//!
//! Chunks lie in the very write of the batch that needs them, and go with the last run that does.

mod check;
mod cut;
mod read;
mod release;
mod size;
mod stored;
mod write;

pub(crate) use check::check;
pub(crate) use cut::Cuts;
pub(crate) use read::ChunkReader;
pub(crate) use release::{release, whole};
pub use size::StoredSize;
pub(crate) use size::size;
pub(crate) use stored::refers_to;
pub(crate) use write::KnownChunks;

use crate::local::checksum::Checksum;

/// From how many bytes on a value is kept in chunks. Below, a row a chunk costs more than
/// sharing saves.
pub(crate) const LARGE: usize = 16 * 1_024;

/// The address of a chunk: the first half of its BLAKE3.
pub(crate) type ChunkDigest = [u8; 16];

/// The address of a chunk.
pub(crate) fn digest(chunk: &[u8]) -> ChunkDigest {
    let mut digest = ChunkDigest::default();
    digest
        .iter_mut()
        .zip(blake3::hash(chunk).as_bytes())
        .for_each(|(to, from)| *to = *from);
    digest
}

/// The checksum of a chunk's row.
fn checksum(chunk: i64, digest: &[u8], body: &[u8]) -> i64 {
    Checksum::new()
        .number(chunk)
        .bytes(digest)
        .bytes(body)
        .finish()
}
