//! Cuts a large value where its content says, so that equal parts of two values make equal chunks
//! wherever they begin.

use fastcdc::v2020::FastCDC;

/// Sizes of chunks: smaller ones share more, and cost more rows.
const SHORTEST: usize = 512;
const USUAL: usize = 2_048;
const LONGEST: usize = 8_192;

/// What stays with the batch of the beginning of a value: there stands how long a list is, which
/// alone would make another first chunk of each length.
const KEPT: usize = 16;

/// The beginning of a value, and the chunks of the rest.
pub(super) fn cut(value: &[u8]) -> (&[u8], impl Iterator<Item = &[u8]>) {
    let (kept, rest) = value.split_at(KEPT.min(value.len()));
    let chunks = FastCDC::new(rest, SHORTEST, USUAL, LONGEST)
        .filter_map(move |chunk| rest.get(chunk.offset..chunk.offset + chunk.length));
    (kept, chunks)
}
