//! A batch is what one turn wrote: `[version, run, first_n, prev_hash, epoch, flags, records, crc]`.

use alloc::vec::Vec;

use crate::ids::RunId;
use crate::record::Record;

/// The turn of a run as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The run.
    pub run: RunId,
    /// The number of the first record.
    pub first_n: u64,
    /// The hash of the batch before; zeros for the first.
    pub prev_hash: [u8; 16],
    /// The owner that wrote it.
    pub epoch: u64,
    /// The behaviour flags in force (bit i = flag i).
    pub flags: u64,
    /// The records, contiguous from `first_n`.
    pub records: Vec<Record>,
}

/// Why bytes are not a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The bytes end too early.
    #[error("the batch is truncated at byte {at}")]
    Truncated {
        /// Where.
        at: usize,
    },
}
