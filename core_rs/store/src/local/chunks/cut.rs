//! Cuts a large value where its content says, so that equal parts of two values make equal chunks
//! wherever they begin.

use std::ops::Range;

use bytes::Bytes;
use fastcdc::v2020::FastCDC;
use perdure_history::Batch;

use crate::local::chunks::{self, ChunkDigest, LARGE, stored};

/// Sizes of chunks. Smaller ones share more of a list that grows; larger ones cost less of a value
/// that is like no other (docs/adr/0018-large-values-lie-in-chunks.md has the figures).
const SHORTEST: usize = 1_024;
const USUAL: usize = 4_096;
const LONGEST: usize = 16_384;

/// What stays with the batch of the beginning of a value: there stands how long a list is, which
/// alone would make another first chunk of each length.
const KEPT: usize = 16;

/// A batch, cut.
#[derive(Debug)]
pub(crate) struct Cuts(pub(super) Vec<Part>);

/// A part of a batch.
#[derive(Debug)]
pub(super) enum Part {
    /// Stays with the batch.
    Bytes(Range<usize>),
    /// Lies in chunks.
    Chunks(Vec<(ChunkDigest, Range<usize>)>),
}

impl Cuts {
    /// Cuts a batch; `None` when it stays whole, as one without large values does.
    pub(crate) fn of(batch: &Bytes) -> Option<Self> {
        let large = match batch.len() {
            0..LARGE => Vec::new(),
            _ => Batch::large_values(batch, LARGE),
        };
        if large.is_empty() && !stored::is_stored_form(batch) {
            return None;
        }
        let mut parts = Vec::with_capacity(2 * large.len() + 1);
        let mut after = 0;
        for value in large {
            let kept_to = (value.start + KEPT).min(value.end);
            parts.push(Part::Bytes(after..kept_to));
            after = value.end;
            parts.push(Part::Chunks(cut(batch, kept_to..value.end)));
        }
        parts.push(Part::Bytes(after..batch.len()));
        Some(Self(parts))
    }

    /// The chunks of all its values.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &(ChunkDigest, Range<usize>)> {
        self.0.iter().flat_map(|part| match part {
            Part::Bytes(_) => [].iter(),
            Part::Chunks(chunks) => chunks.iter(),
        })
    }
}

fn cut(batch: &Bytes, value: Range<usize>) -> Vec<(ChunkDigest, Range<usize>)> {
    let start = value.start;
    let value = batch.get(value).unwrap_or_default();
    FastCDC::new(value, SHORTEST, USUAL, LONGEST)
        .filter_map(|chunk| {
            let body = value.get(chunk.offset..chunk.offset + chunk.length)?;
            let at = start + chunk.offset;
            Some((chunks::digest(body), at..at + chunk.length))
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]
mod tests {
    use super::*;
    use crate::validation::fixture::{batch_of, value};

    fn chunks(batch: &Bytes) -> Vec<(ChunkDigest, usize)> {
        let cuts = Cuts::of(batch).unwrap();
        cuts.chunks()
            .map(|(digest, range)| (*digest, range.len()))
            .collect()
    }

    /// Bytes of chunks that the other batch does not have.
    fn added(batch: &Bytes, other: &Bytes) -> usize {
        let other = chunks(other);
        let added = chunks(batch)
            .into_iter()
            .filter(|chunk| !other.contains(chunk));
        added.map(|(_, length)| length).sum()
    }

    #[test]
    fn the_parts_are_the_batch() {
        for length in [LARGE, LARGE + 1, 20_000, 1 << 20] {
            let batch = batch_of(&[b"small", &value(3, length), &value(4, length), b"end"]);
            let mut whole = Vec::new();
            for part in Cuts::of(&batch).unwrap().0 {
                match part {
                    Part::Bytes(range) => whole.extend_from_slice(&batch[range]),
                    Part::Chunks(chunks) => {
                        for (digest, range) in chunks {
                            assert!(!range.is_empty() && range.len() <= LONGEST);
                            assert_eq!(digest, chunks::digest(&batch[range.clone()]));
                            whole.extend_from_slice(&batch[range]);
                        }
                    }
                }
            }
            assert!(whole == batch, "{length} bytes");
        }
        assert!(Cuts::of(&batch_of(&[&value(3, LARGE - 1)[..]; 9])).is_none());
    }

    #[test]
    fn a_longer_list_has_the_chunks_of_the_shorter_one_but_for_its_end() {
        let mut list = value(4, 200_000);
        let shorter = batch_of(&[b"result", &list]);
        // Its length stands in the first bytes.
        list.splice(..4, [1, 2, 3, 4]);
        list.extend(value(5, 2_000));
        let longer = batch_of(&[b"a longer result", &list]);
        assert!(added(&longer, &shorter) < 2 * LONGEST);
        // Something put in near the beginning changes no more than the chunks around it.
        list.splice(30_000..30_000, value(6, 100));
        let changed = batch_of(&[&list]);
        assert!(added(&changed, &longer) < 4 * LONGEST);
    }

    #[test]
    fn where_it_cuts_stays() {
        // Other cuts share nothing with the chunks of stores that older versions wrote.
        let batch = batch_of(&[&value(7, 60_000)]);
        let lengths: Vec<usize> = chunks(&batch).into_iter().map(|chunk| chunk.1).collect();
        let expected = [
            10_025, 3_108, 5_874, 7_972, 4_176, 8_311, 7_262, 8_242, 4_603, 411,
        ];
        assert_eq!(lengths, expected);
    }
}
