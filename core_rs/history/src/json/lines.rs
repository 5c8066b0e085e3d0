//! The lines of an exported history.

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, BatchEncoder, FORMAT_VERSION};
use crate::history::{HistoryError, HistoryReader};
use crate::ids::RunId;
use crate::record::Record;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    perdure_history: u64,
    run: RunId,
}

/// The line that begins a turn.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchLine {
    batch: BatchHead,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchHead {
    epoch: u64,
    flags: u64,
}

/// Why a text is not an exported history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A line is not what belongs there.
    #[error("line {line}: {reason}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What the JSON parser says.
        reason: String,
    },
    /// A newer engine exported it.
    #[error("the history has format version {found}; this engine reads up to {supported}")]
    NewerVersion {
        /// Its version.
        found: u64,
        /// The newest known here.
        supported: u64,
    },
    /// The text is empty, or a record stands before the first batch.
    #[error("line {line}: a line {expected:?} belongs here")]
    Missing {
        /// Which line, from 1.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// Records are missing, or stand twice.
    #[error("line {line}: record {found} follows record {after}")]
    Hole {
        /// Which line, from 1.
        line: usize,
        /// The number of the last good record.
        after: u64,
        /// What was found.
        found: u64,
    },
}

/// The history of `run` as JSON lines.
///
/// # Errors
/// What is wrong with the batches.
pub fn export<'a>(
    run: RunId,
    batches: impl IntoIterator<Item = &'a Bytes>,
) -> Result<String, HistoryError> {
    let mut lines = String::new();
    push_line(
        &mut lines,
        &Head {
            perdure_history: FORMAT_VERSION,
            run,
        },
    );
    let mut reader = HistoryReader::new(run);
    for encoded in batches {
        let Batch {
            epoch,
            flags,
            records,
            ..
        } = reader.read(encoded)?;
        push_line(
            &mut lines,
            &BatchLine {
                batch: BatchHead { epoch, flags },
            },
        );
        records
            .iter()
            .for_each(|record| push_line(&mut lines, record));
    }
    Ok(lines)
}

fn push_line(lines: &mut String, line: &impl Serialize) {
    // Into a string, with string keys only, nothing can fail.
    lines.push_str(&serde_json::to_string(line).unwrap_or_default());
    lines.push('\n');
}

/// The run and its batches, encoded, from JSON lines. Empty lines are passed over.
///
/// # Errors
/// The first line that is wrong.
pub fn import(text: &str) -> Result<(RunId, Vec<Bytes>), ImportError> {
    let mut lines = (1..)
        .zip(text.lines())
        .filter(|(_, text)| !text.trim().is_empty());
    let Some((line, head)) = lines.next() else {
        return Err(ImportError::Missing {
            line: 1,
            expected: "perdure_history",
        });
    };
    let Head {
        perdure_history: found,
        run,
    } = parse(line, head)?;
    if found > FORMAT_VERSION {
        return Err(ImportError::NewerVersion {
            found,
            supported: FORMAT_VERSION,
        });
    }
    let mut batches: Vec<Batch> = Vec::new();
    let mut after = 0;
    for (line, text) in lines {
        if text.trim_start().starts_with("{\"batch\"") {
            let BatchLine {
                batch: BatchHead { epoch, flags },
            } = parse(line, text)?;
            let (first_n, prev_hash, records) = (after + 1, [0; 16], Vec::new());
            batches.push(Batch {
                run,
                first_n,
                prev_hash,
                epoch,
                flags,
                records,
            });
            continue;
        }
        let record: Record = parse(line, text)?;
        let Some(batch) = batches.last_mut() else {
            return Err(ImportError::Missing {
                line,
                expected: "batch",
            });
        };
        if record.n != after + 1 {
            return Err(ImportError::Hole {
                line,
                after,
                found: record.n,
            });
        }
        after = record.n;
        batch.records.push(record);
    }
    Ok((run, encode(batches)))
}

fn encode(batches: Vec<Batch>) -> Vec<Bytes> {
    let mut encoder = BatchEncoder::new();
    let mut prev_hash = [0; 16];
    let chain = |batch| {
        let encoded = encoder.encode(&Batch { prev_hash, ..batch });
        prev_hash = Batch::hash(&encoded);
        encoded
    };
    batches.into_iter().map(chain).collect()
}

fn parse<'a, T: Deserialize<'a>>(line: usize, text: &'a str) -> Result<T, ImportError> {
    serde_json::from_str(text).map_err(|error| ImportError::Line {
        line,
        reason: alloc::format!("{error}"),
    })
}
