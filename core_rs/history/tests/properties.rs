//! What holds for every batch, and for every sequence of bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use bytes::Bytes;
use perdure_history::{Batch, Record, decode_history, json};
use proptest::prelude::*;
use support::{RUN, batches, encode_chain, repair};

fn records(batches: &[Batch]) -> Vec<Record> {
    batches
        .iter()
        .flat_map(|batch| batch.records.clone())
        .collect()
}

const LINES: &str = "(\\{\"(n|batch|perdure_history)\":[0-9{}\",a-z]*\n?)*";

proptest! {
    #[test]
    fn the_stored_form_loses_nothing(batches in batches()) {
        let encoded = encode_chain(&batches);
        prop_assert_eq!(decode_history(RUN, &encoded), Ok(records(&batches)));
        for batch in batches {
            prop_assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
        }
    }

    #[test]
    fn the_exported_form_loses_nothing(batches in batches()) {
        let encoded = encode_chain(&batches);
        let text = json::export(RUN, &encoded).unwrap();
        prop_assert_eq!(json::import(&text), Ok((RUN, encoded)));
    }

    #[test]
    fn a_truncated_or_changed_batch_is_an_error(
        batches in batches(), at: prop::sample::Index, bit in 0..8_u8,
    ) {
        for encoded in encode_chain(&batches) {
            let at = at.index(encoded.len());
            prop_assert!(Batch::decode(&encoded.slice(..at)).is_err());
            let mut flipped = encoded.to_vec();
            flipped[at] ^= 1 << bit;
            prop_assert!(Batch::decode(&flipped.into()).is_err());
        }
    }

    /// What a checksum does not catch, since it was made for the changed bytes, must not panic.
    #[test]
    fn bytes_changed_under_a_right_checksum_never_panic(
        batches in batches(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for encoded in encode_chain(&batches) {
            let mut changed = encoded.to_vec();
            for (at, byte) in &changes {
                let at = at.index(changed.len());
                changed[at] = *byte;
            }
            repair(&mut changed);
            if let Ok(batch) = Batch::decode(&changed.into()) {
                // Whatever is accepted has a stored form of its own.
                prop_assert_eq!(
                    Batch::decode(&batch.encode()).map(|again| format!("{again:?}")),
                    Ok(format!("{batch:?}"))
                );
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Batch::decode(&Bytes::from(bytes.clone())).is_err());
        repair(&mut bytes);
        let _ = Batch::decode(&bytes.into());
    }

    #[test]
    fn arbitrary_lines_never_panic(lines in LINES) {
        let _ = json::import(&lines);
    }
}
