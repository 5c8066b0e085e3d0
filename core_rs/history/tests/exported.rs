//! The exported form: what a person may get wrong in it, and what it says then.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;
use perdure_history::json::{ImportError, export, import};
use perdure_history::testing::{HistoryBuilder, schedule};
use perdure_history::{Batch, BatchEncoder, HistoryError, Payload, decode_history};

const RUN: perdure_history::RunId = HistoryBuilder::RUN;

/// 1 run started, 2 schedule charge | 3 completed (2), 4 complete run
fn lines() -> Vec<String> {
    let mut history = HistoryBuilder::started("order");
    let charge = history.schedule("charge");
    history.turn(Duration::from_secs(1));
    history.completed(charge);
    history.complete_run();
    let text = export(RUN, &history.batches()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn import_error(lines: &[String]) -> ImportError {
    import(&lines.join("\n")).unwrap_err()
}

#[test]
fn what_is_missing_is_named_with_its_line() {
    let whole = lines();
    assert_eq!(
        import_error(&[]),
        ImportError::Missing {
            line: 1,
            expected: "perdure_history"
        }
    );
    let without_batch = [&whole[..1], &whole[2..]].concat();
    assert_eq!(
        import_error(&without_batch),
        ImportError::Missing {
            line: 2,
            expected: "batch"
        }
    );
    let without_a_record = [&whole[..3], &whole[4..]].concat();
    assert_eq!(
        import_error(&without_a_record),
        ImportError::Hole {
            line: 5,
            after: 1,
            found: 3
        }
    );
}

#[test]
fn a_newer_version_is_named() {
    let mut newer = lines();
    newer[0] = newer[0].replace("\"perdure_history\":1", "\"perdure_history\":2");
    assert_eq!(
        import_error(&newer),
        ImportError::NewerVersion {
            found: 2,
            supported: 1
        }
    );
}

#[test]
fn a_wrong_line_says_what_is_wrong_in_it() {
    for (right, wrong, expected) in [
        (
            "\"kind\":\"run_started\"",
            "\"kind\":\"run_restarted\"",
            "unknown variant",
        ),
        ("\"seed\":1", "\"seed\":-1", "invalid value"),
        (
            "\"seed\":1",
            "\"seed\":1,\"sead\":2",
            "unknown field `sead`",
        ),
        ("{\"value\":[]}", "{\"hex\":\"9\"}", "two digits a byte"),
        ("\"origin\":\"01", "\"origin\":\"xx", "no run id"),
    ] {
        let mut changed = lines();
        assert!(changed[2].contains(right), "{right}");
        changed[2] = changed[2].replace(right, wrong);
        let ImportError::Line { line, reason } = import_error(&changed) else {
            unreachable!()
        };
        assert!(
            line == 3 && reason.contains(expected),
            "line {line}: {reason}"
        );
    }
}

#[test]
fn empty_lines_and_spaces_change_nothing() {
    let spread = lines().join("\n\n  ");
    assert_eq!(import(&spread), import(&lines().join("\n")));
}

#[test]
fn a_payload_is_shown_as_a_value_only_when_that_gives_its_bytes_again() {
    let deep = [vec![0x91; 70], vec![0xc0]].concat();
    for (bytes, shown) in [
        (vec![0x93, 0x01, 0xff, 0xc0], "{\"value\":[1,-1,null]}"),
        (
            b"\x82\xa1z\x01\xa1a\x02".to_vec(),
            "{\"value\":{\"z\":1,\"a\":2}}",
        ),
        (
            vec![0xcf, 0, 0, 0, 0, 0, 0, 0, 1],
            "{\"hex\":\"cf0000000000000001\"}",
        ),
        (vec![0xc1], "{\"hex\":\"c1\"}"),
        (vec![0x01, 0x02], "{\"hex\":\"0102\"}"),
        (
            deep.clone(),
            &format!("{{\"hex\":\"{}c0\"}}", "91".repeat(70)),
        ),
    ] {
        let payload = Payload(Bytes::from(bytes));
        let text = serde_json::to_string(&payload).unwrap();
        assert_eq!(text, shown);
        assert_eq!(serde_json::from_str::<Payload>(&text).unwrap(), payload);
    }
}

/// What a person changed by hand gets a chain of its own.
#[test]
fn an_edited_history_is_whole_again_after_import() {
    let mut edited = lines();
    edited[2] = edited[2].replace("\"seed\":1", "\"seed\":2");
    let (run, batches) = import(&edited.join("\n")).unwrap();
    let original = import(&lines().join("\n")).unwrap().1;
    assert_ne!(batches, original);
    assert_eq!(decode_history(run, &batches).unwrap().len(), 4);
}

#[test]
fn an_owner_that_was_fenced_off_cannot_write_after_its_successor() {
    let mut encoder = BatchEncoder::new();
    let records = HistoryBuilder::started("order").records();
    let first = encoder.encode(&Batch {
        run: RUN,
        first_n: 1,
        prev_hash: [0; 16],
        epoch: 7,
        flags: 0,
        records: records.clone(),
    });
    let body = perdure_history::RecordBody::Command(schedule("charge"));
    let late = perdure_history::Record {
        n: 2,
        at: records[0].at,
        body,
    };
    let second = encoder.encode(&Batch {
        run: RUN,
        first_n: 2,
        prev_hash: Batch::hash(&first),
        epoch: 6,
        flags: 0,
        records: vec![late],
    });
    assert_eq!(
        decode_history(RUN, [&first, &second]),
        Err(HistoryError::EpochWentBack {
            run: RUN,
            after: 1,
            before: 7,
            found: 6
        })
    );
}
