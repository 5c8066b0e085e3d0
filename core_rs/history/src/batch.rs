//! A batch is what one turn wrote:
//! `[version, run, first_n, prev_hash, epoch, flags, records, crc]`.

use alloc::vec::Vec;
use core::ops::Range;

use bytes::Bytes;

use crate::codec::reader::Reader;
use crate::codec::site::Sites;
use crate::codec::writer::Writer;
use crate::codec::{command, event, kind};
use crate::ids::RunId;
use crate::record::{Record, RecordBody};
use crate::time::Timestamp;

/// The version of the stored form that this engine writes, and the newest it reads.
pub const FORMAT_VERSION: u64 = 1;

/// The checksum stands last, in a fixed form, in every version: `0xce` and four bytes.
const CHECKSUM_LENGTH: usize = 4;

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
    /// More bytes follow the batch.
    #[error("the batch ends at byte {at}, but more bytes follow")]
    TrailingBytes {
        /// Where it ends.
        at: usize,
    },
    /// The bytes are not those that were written.
    #[error("the batch is damaged: its checksum is {computed:#010x}, but {stored:#010x} is stored")]
    Damaged {
        /// The checksum that stands in the batch.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// A newer engine wrote it.
    #[error(
        "the batch has format version {found}; this engine reads up to {supported}: upgrade it"
    )]
    NewerVersion {
        /// Its version.
        found: u64,
        /// The newest known here.
        supported: u64,
    },
    /// A newer engine wrote a record of a kind that this one does not have.
    #[error(
        "record {n} has kind {kind} ({}): it needs a newer engine",
        .name.unwrap_or("unnamed")
    )]
    UnknownKind {
        /// The record.
        n: u64,
        /// Its kind.
        kind: u64,
        /// The kind's name, when its number is already reserved.
        name: Option<&'static str>,
    },
    /// A newer engine wrote fields that this one does not have.
    #[error(
        "record {n} (kind {kind}) has {found} fields where {known} are known: upgrade the engine"
    )]
    NewerField {
        /// The record; 0 for the batch itself.
        n: u64,
        /// Its kind.
        kind: u64,
        /// How many fields are known.
        known: usize,
        /// How many there are.
        found: usize,
    },
    /// A number that an enumeration does not have.
    #[error("{what} {value} before byte {at} is unknown: it needs a newer engine")]
    UnknownValue {
        /// Where it ends.
        at: usize,
        /// The enumeration.
        what: &'static str,
        /// The number.
        value: u64,
    },
    /// A string is not UTF-8.
    #[error("the string at byte {at} is not UTF-8")]
    NotUtf8 {
        /// Where it begins.
        at: usize,
    },
    /// Something else stands there than belongs there.
    #[error("byte {at} of the batch: expected {expected}")]
    Malformed {
        /// About where.
        at: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// A record refers to a call site that no earlier record holds: earlier batches are needed.
    #[error("record {n} refers to the call site of record {refers_to}, which is not known")]
    UnknownSite {
        /// The record.
        n: u64,
        /// The record that should hold the site.
        refers_to: u64,
    },
    /// The records of the batch are not contiguous.
    #[error("record {found} stands where record {expected} belongs")]
    NotContiguous {
        /// The number that belongs there.
        expected: u64,
        /// What was found.
        found: u64,
    },
}

/// Encodes the batches of one run in order: a call site is written once in a run.
///
/// After a write that did not happen, drop the encoder with the turn: it remembers sites as stored.
#[derive(Clone, Debug, Default)]
pub struct BatchEncoder {
    sites: Sites,
}

impl BatchEncoder {
    /// An encoder for a run of which nothing is stored yet. For a run that has a history, ask
    /// [`HistoryReader`](crate::HistoryReader) for it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_sites(sites: Sites) -> Self {
        Self { sites }
    }

    /// The stored form of `batch`, which must follow what was encoded before.
    #[must_use]
    pub fn encode(&mut self, batch: &Batch) -> Bytes {
        let mut writer = Writer::with_capacity(64 + 96 * batch.records.len());
        writer.array(8);
        writer.unsigned(FORMAT_VERSION);
        writer.binary(&batch.run.0);
        writer.unsigned(batch.first_n);
        writer.binary(&batch.prev_hash);
        writer.unsigned(batch.epoch);
        writer.unsigned(batch.flags);
        writer.array(batch.records.len());
        for record in &batch.records {
            writer.array(4);
            writer.unsigned(record.n);
            writer.signed(record.at.as_micros());
            match &record.body {
                RecordBody::Event(event) => {
                    writer.unsigned(event::kind_of(event));
                    event::write(&mut writer, event);
                }
                RecordBody::Command(command) => {
                    writer.unsigned(command::kind_of(command));
                    command::write(&mut writer, &mut self.sites, record.n, command);
                }
            }
        }
        writer.bytes.push(0xce);
        let checksum = crc32fast::hash(&writer.bytes);
        writer.bytes.extend_from_slice(&checksum.to_be_bytes());
        writer.bytes.into()
    }
}

impl Batch {
    /// The stored form, complete in itself: every call site is written whole once. Where batches of
    /// one run follow each other, [`BatchEncoder`] writes less.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        BatchEncoder::new().encode(self)
    }

    /// Reads a batch that is complete in itself; others need a
    /// [`HistoryReader`](crate::HistoryReader).
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; nothing is guessed.
    pub fn decode(bytes: &Bytes) -> Result<Self, BatchError> {
        Self::decode_with(bytes, &mut Sites::default())
    }

    /// The hash that the next batch of the run bears as `prev_hash`: of the stored form.
    #[must_use]
    pub fn hash(encoded: &[u8]) -> [u8; 16] {
        let mut hash = [0; 16];
        hash.iter_mut()
            .zip(blake3::hash(encoded).as_bytes())
            .for_each(|(to, from)| *to = *from);
        hash
    }

    /// Where the values of at least `at_least` bytes lie in an encoded batch, in order: payloads
    /// and texts, whatever records they belong to. Nothing, when the bytes are not a batch.
    #[must_use]
    pub fn large_values(encoded: &Bytes, at_least: usize) -> Vec<Range<usize>> {
        let mut large = Vec::new();
        let walked = Reader::new(encoded, encoded.len()).walk(|value| {
            if value.len() >= at_least {
                large.push(value);
            }
        });
        if walked.is_err() {
            large.clear();
        }
        large
    }

    pub(crate) fn decode_with(bytes: &Bytes, sites: &mut Sites) -> Result<Self, BatchError> {
        let mut records = Vec::new();
        let head = Self::decode_into(bytes, sites, &mut records)?;
        Ok(Self { records, ..head })
    }

    /// Reads a batch, and appends its records to `records` instead of keeping them.
    pub(crate) fn decode_into(
        bytes: &Bytes,
        sites: &mut Sites,
        records: &mut Vec<Record>,
    ) -> Result<Self, BatchError> {
        let end = verify(bytes)?;
        let mut reader = Reader::new(bytes, end);
        let elements = reader.array()?;
        let version = reader.unsigned()?;
        if version > FORMAT_VERSION {
            return Err(BatchError::NewerVersion {
                found: version,
                supported: FORMAT_VERSION,
            });
        }
        if elements != 8 || version == 0 {
            return reader.malformed("a batch of 8 elements and a version from 1");
        }
        let run = RunId(reader.binary16()?);
        let first_n = reader.unsigned()?;
        let prev_hash = reader.binary16()?;
        let epoch = reader.unsigned()?;
        let flags = reader.unsigned()?;
        let length = reader.array()?;
        // A record takes at least 5 bytes, so the capacity is bounded by the input's length.
        records.reserve(length.min(reader.remaining() / 5));
        for offset in 0..length as u64 {
            let record = read_record(&mut reader, sites)?;
            let expected = first_n.saturating_add(offset);
            if record.n != expected {
                return Err(BatchError::NotContiguous {
                    expected,
                    found: record.n,
                });
            }
            records.push(record);
        }
        if reader.remaining() != 1 {
            return reader.malformed("the checksum");
        }
        Ok(Self {
            run,
            first_n,
            prev_hash,
            epoch,
            flags,
            records: Vec::new(),
        })
    }
}

fn read_record(reader: &mut Reader<'_>, sites: &mut Sites) -> Result<Record, BatchError> {
    if reader.array()? != 4 {
        return reader.malformed("a record of 4 elements");
    }
    let n = reader.unsigned()?;
    let at = Timestamp::from_micros(reader.signed()?);
    let kind = reader.unsigned()?;
    reader.n = n;
    reader.kind = kind;
    let body = if let Some(event) = event::read(reader, kind)? {
        RecordBody::Event(event)
    } else if let Some(command) = command::read(reader, sites, kind)? {
        RecordBody::Command(command)
    } else {
        return Err(BatchError::UnknownKind {
            n,
            kind,
            name: kind::name(kind),
        });
    };
    Ok(Record { n, at, body })
}

/// Checks the checksum before anything is read, and gives where it stands. Only when it is wrong
/// is the structure walked, to say how.
fn verify(bytes: &Bytes) -> Result<usize, BatchError> {
    let Some((checked, stored)) = bytes.split_last_chunk::<CHECKSUM_LENGTH>() else {
        return Err(BatchError::Truncated { at: bytes.len() });
    };
    let stored = u32::from_be_bytes(*stored);
    let computed = crc32fast::hash(checked);
    if stored == computed && checked.last() == Some(&0xce) {
        return Ok(checked.len());
    }
    let mut reader = Reader::new(bytes, bytes.len());
    match reader.skip() {
        Err(BatchError::Truncated { at }) => Err(BatchError::Truncated { at }),
        Ok(()) if reader.remaining() > 0 => {
            let at = reader.position();
            let whole = bytes.get(..at).unwrap_or_default();
            match whole.split_last_chunk::<CHECKSUM_LENGTH>() {
                Some((checked, stored))
                    if crc32fast::hash(checked) == u32::from_be_bytes(*stored) =>
                {
                    Err(BatchError::TrailingBytes { at })
                }
                _ => Err(BatchError::Damaged { stored, computed }),
            }
        }
        _ => Err(BatchError::Damaged { stored, computed }),
    }
}
