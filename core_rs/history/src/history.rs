//! Reads the whole history of a run: batches in order, each checked against the one before.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::batch::{Batch, BatchEncoder, BatchError};
use crate::codec::site::Sites;
use crate::ids::RunId;
use crate::record::Record;

/// Why batches are not the history of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// One of them cannot be read.
    #[error("batch {index} of run {run} (after record {after}): {source}")]
    Batch {
        /// The run.
        run: RunId,
        /// Which batch, from 0.
        index: usize,
        /// The number of the last good record.
        after: u64,
        /// What is wrong.
        source: BatchError,
    },
    /// One of them belongs to another run.
    #[error("batch {index} of run {run} belongs to run {found}")]
    OtherRun {
        /// The run that was asked for.
        run: RunId,
        /// Which batch, from 0.
        index: usize,
        /// The run that the batch names.
        found: RunId,
    },
    /// Records are missing, or stand twice.
    #[error("run {run} has a hole: record {found} follows record {after}")]
    Hole {
        /// The run.
        run: RunId,
        /// The number of the last good record.
        after: u64,
        /// The first number of the next batch.
        found: u64,
    },
    /// A batch does not follow the bytes of the one before: one of the two was changed.
    #[error("run {run}: the batch after record {after} does not follow the one before it")]
    BrokenChain {
        /// The run.
        run: RunId,
        /// The number of the last record before the break.
        after: u64,
    },
    /// An owner that was fenced off wrote after its successor.
    #[error("run {run}: epoch {found} follows epoch {before} after record {after}")]
    EpochWentBack {
        /// The run.
        run: RunId,
        /// The number of the last good record.
        after: u64,
        /// The epoch before.
        before: u64,
        /// The epoch of the next batch.
        found: u64,
    },
}

/// Reads the batches of one run in order.
#[derive(Clone, Debug)]
pub struct HistoryReader {
    run: RunId,
    sites: Sites,
    count: usize,
    last_n: u64,
    last_hash: [u8; 16],
    epoch: u64,
    flags: u64,
}

impl HistoryReader {
    /// A reader for `run`, before its first batch.
    #[must_use]
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            sites: Sites::default(),
            count: 0,
            last_n: 0,
            last_hash: [0; 16],
            epoch: 0,
            flags: 0,
        }
    }

    /// Reads the next batch.
    ///
    /// # Errors
    /// What is wrong with it or with its place; the reader is not to be used any further then.
    pub fn read(&mut self, encoded: &Bytes) -> Result<Batch, HistoryError> {
        let mut records = Vec::new();
        let head = self.read_into(encoded, &mut records)?;
        Ok(Batch { records, ..head })
    }

    /// Reads the next batch, appends its records to `records`, and gives the rest of it.
    ///
    /// # Errors
    /// As [`HistoryReader::read`].
    pub fn read_into(
        &mut self,
        encoded: &Bytes,
        records: &mut Vec<Record>,
    ) -> Result<Batch, HistoryError> {
        let (run, after, index) = (self.run, self.last_n, self.count);
        let length_before = records.len();
        let head = Batch::decode_into(encoded, &mut self.sites, records).map_err(|source| {
            HistoryError::Batch {
                run,
                index,
                after,
                source,
            }
        })?;
        if head.run != run {
            return Err(HistoryError::OtherRun {
                run,
                index,
                found: head.run,
            });
        }
        if after.checked_add(1) != Some(head.first_n) {
            return Err(HistoryError::Hole {
                run,
                after,
                found: head.first_n,
            });
        }
        if head.prev_hash != self.last_hash {
            return Err(HistoryError::BrokenChain { run, after });
        }
        if head.epoch < self.epoch {
            let (before, found) = (self.epoch, head.epoch);
            return Err(HistoryError::EpochWentBack {
                run,
                after,
                before,
                found,
            });
        }
        self.count += 1;
        self.last_n += (records.len() - length_before) as u64;
        self.last_hash = Batch::hash(encoded);
        self.epoch = head.epoch;
        self.flags |= head.flags;
        Ok(head)
    }

    /// The number of the last record read.
    #[must_use]
    pub fn last_n(&self) -> u64 {
        self.last_n
    }

    /// The `prev_hash` of the next batch.
    #[must_use]
    pub fn last_hash(&self) -> [u8; 16] {
        self.last_hash
    }

    /// The epoch of the last batch read.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The behaviour flags in force: all that any batch bears, since a run does not lose a flag.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// The encoder for the batches that follow.
    #[must_use]
    pub fn into_encoder(self) -> BatchEncoder {
        BatchEncoder::with_sites(self.sites)
    }
}

/// The records of a whole history, checked: one run, no hole, an unbroken chain.
///
/// # Errors
/// The first thing that is wrong.
pub fn decode_history<'a>(
    run: RunId,
    batches: impl IntoIterator<Item = &'a Bytes>,
) -> Result<Vec<Record>, HistoryError> {
    let mut reader = HistoryReader::new(run);
    let mut records = Vec::new();
    for encoded in batches {
        reader.read_into(encoded, &mut records)?;
    }
    Ok(records)
}
