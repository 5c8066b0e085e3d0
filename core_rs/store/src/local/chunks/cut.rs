//! Cuts a large value where its content says, so that equal parts of two values make equal chunks
//! wherever they begin.

use fastcdc::v2020::FastCDC;

/// Sizes of chunks. Smaller ones share more of a list that grows; larger ones cost less of a value
/// that is like no other (docs/adr/0016-large-values-lie-in-chunks.md has the figures).
const SHORTEST: usize = 1_024;
const USUAL: usize = 4_096;
const LONGEST: usize = 16_384;

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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::validation::fixture::value;

    #[test]
    fn the_chunks_are_the_value() {
        for length in [0, 1, KEPT, KEPT + 1, 20_000, 1 << 20] {
            let value = value(3, length);
            let (kept, chunks) = cut(&value);
            let mut whole = kept.to_vec();
            for chunk in chunks {
                assert!(!chunk.is_empty() && chunk.len() <= LONGEST);
                whole.extend_from_slice(chunk);
            }
            assert!(whole == value, "{length} bytes");
        }
    }

    #[test]
    fn a_longer_list_has_the_chunks_of_the_shorter_one_but_for_its_end() {
        let mut list = value(4, 200_000);
        let shorter: HashSet<Vec<u8>> = cut(&list).1.map(<[u8]>::to_vec).collect();
        // Its length stands in the first bytes.
        list.splice(..4, [1, 2, 3, 4]);
        list.extend(value(5, 2_000));
        let added = cut(&list).1.filter(|chunk| !shorter.contains(*chunk));
        assert!(added.map(<[u8]>::len).sum::<usize>() < 2 * LONGEST);
        // Something put in near the beginning changes no more than the chunks around it.
        list.splice(30_000..30_000, value(6, 100));
        let added = cut(&list).1.filter(|chunk| !shorter.contains(*chunk));
        assert!(added.map(<[u8]>::len).sum::<usize>() < 4 * LONGEST);
    }

    #[test]
    fn where_it_cuts_stays() {
        // Other cuts share nothing with the chunks of stores that older versions wrote.
        let value = value(7, 60_000);
        let lengths: Vec<usize> = cut(&value).1.map(<[u8]>::len).collect();
        let expected = [
            10_025, 3_108, 5_874, 7_972, 4_176, 8_311, 7_262, 8_242, 4_603, 411,
        ];
        assert_eq!(lengths, expected);
    }
}
