//! What a newer engine wrote is refused by name, and what lies about its length costs nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod support;

use bytes::Bytes;
use perdure_history::testing::HistoryBuilder;
use perdure_history::{Batch, BatchError, Event, codec::kind};
use support::repair;

/// 1 run started, 2 timer fired (1), and the position of record 2.
fn example() -> (Vec<u8>, usize) {
    let mut history = HistoryBuilder::started("order");
    history.event(Event::TimerFired { command_n: 1 });
    let bytes = history.batches().remove(0).to_vec();
    // Record 2 is `[2, at, 7, [1]]`; with its at of 9 bytes it takes 14, before 5 of checksum.
    let at = bytes.len() - 5 - 14;
    assert_eq!(bytes[at..at + 2], [0x94, 2]);
    (bytes, at)
}

fn decode(mut bytes: Vec<u8>) -> Result<Batch, BatchError> {
    repair(&mut bytes);
    Batch::decode(&bytes.into())
}

#[test]
fn a_newer_version_is_named() {
    let (mut bytes, _) = example();
    bytes[1] = 2;
    let error = decode(bytes).unwrap_err();
    assert_eq!(
        error,
        BatchError::NewerVersion {
            found: 2,
            supported: 1
        }
    );
    assert_eq!(
        error.to_string(),
        "the batch has format version 2; this engine reads up to 1: upgrade it"
    );
}

#[test]
fn a_newer_kind_is_named() {
    let (mut bytes, record) = example();
    bytes[record + 11] = 127;
    let error = decode(bytes).unwrap_err();
    assert_eq!(
        error,
        BatchError::UnknownKind {
            n: 2,
            kind: 127,
            name: None
        }
    );
    assert_eq!(
        error.to_string(),
        "record 2 has kind 127 (unnamed): it needs a newer engine"
    );
    let reserved = BatchError::UnknownKind {
        n: 2,
        kind: 63,
        name: Some("of_tomorrow"),
    };
    assert_eq!(
        reserved.to_string(),
        "record 2 has kind 63 (of_tomorrow): it needs a newer engine"
    );
}

#[test]
fn a_newer_field_is_named() {
    let (mut bytes, record) = example();
    bytes[record + 12] = 0x92;
    bytes.insert(record + 14, 0xc0);
    assert_eq!(
        decode(bytes),
        Err(BatchError::NewerField {
            n: 2,
            kind: kind::TIMER_FIRED,
            known: 1,
            found: 2
        })
    );
}

#[test]
fn a_number_in_a_longer_form_is_read_all_the_same() {
    let (mut bytes, record) = example();
    bytes[record + 13] = 0xcc;
    bytes.insert(record + 14, 1);
    assert!(decode(bytes).is_ok());
}

#[test]
fn text_that_is_not_utf8_is_named() {
    let (mut bytes, _) = example();
    let at = bytes
        .windows(7)
        .position(|window| window == b"default")
        .unwrap();
    bytes[at] = 0xff;
    assert_eq!(decode(bytes), Err(BatchError::NotUtf8 { at }));
}

#[test]
fn records_out_of_order_are_named() {
    let (mut bytes, record) = example();
    bytes[record + 1] = 3;
    assert_eq!(
        decode(bytes),
        Err(BatchError::NotContiguous {
            expected: 2,
            found: 3
        })
    );
}

#[test]
fn lengths_that_lie_are_truncations() {
    let head = [0x98, 1, 0xc4, 16];
    let run = [7; 16];
    let rest = [1, 0xc4, 16];
    let hash = [0; 16];
    for lie in [
        [0xdd, 0xff, 0xff, 0xff, 0xff].as_slice(),
        &[0x91, 0x94, 1, 0, 3, 0xdd, 0xff, 0xff, 0xff, 0xff],
        &[
            0x91, 0x94, 1, 0, 3, 0x93, 1, 1, 0xc6, 0xff, 0xff, 0xff, 0xff,
        ],
        &[0x91, 0x94, 1, 0, 10, 0x92, 0xdb, 0xff, 0xff, 0xff, 0xff],
    ] {
        let bytes = [
            &head[..],
            &run,
            &rest,
            &hash,
            &[1, 0],
            lie,
            &[0xce, 0, 0, 0, 0],
        ]
        .concat();
        let end = bytes.len() - 4;
        assert_eq!(
            decode(bytes),
            Err(BatchError::Truncated { at: end }),
            "{lie:x?}"
        );
    }
}

#[test]
fn no_bytes_are_no_batch() {
    for length in 0..5 {
        let bytes = Bytes::from(vec![0xce; length]);
        assert!(
            matches!(Batch::decode(&bytes), Err(BatchError::Truncated { .. })),
            "{length}"
        );
    }
}

#[test]
fn the_numbers_of_kinds_are_frozen() {
    let names: Vec<String> = (0..128)
        .filter_map(|n| kind::name(n).map(|name| format!("{n} {name}")))
        .collect();
    assert_eq!(
        names.join(", "),
        "1 run_started, 2 version_changed, 3 activity_completed, 4 activity_failed, \
         5 activity_cancelled, 6 activity_attempt_failed, 7 timer_fired, 8 signal_received, \
         9 cancel_requested, 10 run_terminated, 11 run_timed_out, 12 update_accepted, \
         13 child_started, 14 child_completed, 15 child_failed, 16 child_cancelled, \
         17 external_signal_delivered, 18 external_signal_failed, \
         19 external_cancel_delivered, 20 external_cancel_failed, 21 run_reset, \
         30 options_updated, \
         64 schedule_activity, 65 cancel_activity, 66 start_timer, 67 cancel_timer, \
         68 complete_run, 69 fail_run, 70 cancel_run, 71 continue_as_new, 72 start_child, \
         73 cancel_child, 74 signal_external, 75 cancel_external, 76 complete_update, \
         77 fail_update, 78 record_patch, 79 set_search_attributes, 80 set_memo"
    );
}
