//! What the stored form of a batch promises, on examples that can be read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::testing::failure;
use perdure_history::{
    ActivityOptions, Batch, BatchEncoder, BatchError, Chain, Command, Digest, Event, Failure,
    HistoryError, MessageId, Payload, Priority, Record, RecordBody, RunId, RunStarted,
    ScheduleActivity, Site, Timestamp, decode_history,
};

const RUN: RunId = RunId([7; 16]);

fn event(n: u64, event: Event) -> Record {
    Record {
        n,
        at: Timestamp::from_micros(1_000_000),
        body: RecordBody::Event(event),
    }
}

fn command(n: u64, command: Command) -> Record {
    Record {
        n,
        at: Timestamp::from_micros(1_000_000),
        body: RecordBody::Command(command),
    }
}

fn started() -> Event {
    Event::RunStarted(Arc::new(RunStarted {
        message_id: MessageId("m-1".into()),
        namespace: "default".into(),
        workflow_id: "order-1".into(),
        workflow_type: "order".into(),
        task_queue: "orders".into(),
        arguments: Payload(Bytes::from_static(&[0x90])),
        seed: 9,
        origin: RUN,
        run_timeout: None,
        memo: vec![],
        headers: vec![],
        version: None,
        chain: Chain::default(),
        parent: None,
        signal: None,
        search_attributes: vec![],
        priority: Priority::default(),
    }))
}

fn schedule(line: u32) -> Command {
    Command::ScheduleActivity(Arc::new(ScheduleActivity {
        name: "charge".into(),
        service: Some("payments".into()),
        arguments: Payload(Bytes::from_static(&[0x91, 0x05])),
        digest: Digest(5),
        options: ActivityOptions::default(),
        site: Arc::new(Site {
            file: "/srv/app/orders.py".into(),
            line,
            function: "order".into(),
            source_hash: u64::MAX,
        }),
        headers: vec![("trace".into(), "1".into())],
    }))
}

fn batch(first_n: u64, prev_hash: [u8; 16], records: Vec<Record>) -> Batch {
    Batch {
        run: RUN,
        first_n,
        prev_hash,
        epoch: 3,
        flags: 0,
        records,
    }
}

fn completed(n: u64, command_n: u64) -> Record {
    let result = Payload(Bytes::from_static(&[0x01]));
    event(
        n,
        Event::ActivityCompleted {
            command_n,
            attempt: 1,
            result,
        },
    )
}

/// 1 run started, 2 schedule | 3 completed, 4 schedule (the same site)
fn two_batches() -> [Batch; 2] {
    let first = batch(
        1,
        [0; 16],
        vec![event(1, started()), command(2, schedule(12))],
    );
    let hash = Batch::hash(&first.encode());
    [
        first,
        batch(3, hash, vec![completed(3, 2), command(4, schedule(12))]),
    ]
}

fn encoded() -> [Bytes; 2] {
    let mut encoder = BatchEncoder::new();
    two_batches().map(|batch| encoder.encode(&batch))
}

#[test]
fn a_batch_complete_in_itself_comes_back() {
    for batch in two_batches() {
        assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
    }
}

#[test]
fn a_site_seen_before_costs_a_few_bytes_and_needs_the_batch_before() {
    let [first, second] = encoded();
    assert!(second.len() + 30 < two_batches()[1].encode().len());
    assert_eq!(
        Batch::decode(&second),
        Err(BatchError::UnknownSite { n: 4, refers_to: 2 })
    );
    let records = decode_history(RUN, [&first, &second]).unwrap();
    let expected: Vec<Record> = two_batches()
        .into_iter()
        .flat_map(|batch| batch.records)
        .collect();
    assert_eq!(records, expected);
}

#[test]
fn every_truncation_is_truncated() {
    let whole = two_batches()[0].encode();
    for length in 0..whole.len() {
        assert_eq!(
            Batch::decode(&whole.slice(..length)),
            Err(BatchError::Truncated { at: length })
        );
    }
}

#[test]
fn every_flipped_bit_is_an_error() {
    let whole = two_batches()[0].encode();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let error = Batch::decode(&flipped.into()).unwrap_err();
        assert!(
            matches!(
                error,
                BatchError::Damaged { .. }
                    | BatchError::Truncated { .. }
                    | BatchError::TrailingBytes { .. }
            ),
            "bit {bit}: {error}"
        );
    }
}

/// A chain of causes without end must not cost the stack of whoever reads it.
#[test]
fn a_chain_of_causes_is_cut_off_at_a_thousand() {
    let link = |cause| Failure {
        cause,
        ..failure("again")
    };
    let chain = (1..1_500).fold(link(None), |cause, _| link(Some(Box::new(cause))));
    let failed = batch(
        1,
        [0; 16],
        vec![command(
            1,
            Command::FailRun {
                failure: chain,
                next: None,
            },
        )],
    );
    let read = Batch::decode(&failed.encode()).unwrap();
    let RecordBody::Command(Command::FailRun { failure, .. }) = &read.records[0].body else {
        panic!("{read:?}")
    };
    let length = std::iter::successors(Some(failure), |failure| failure.cause.as_deref()).count();
    assert_eq!(length, 1_000);
}

#[test]
fn trailing_bytes_are_named() {
    let whole = two_batches()[0].encode();
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(
        Batch::decode(&longer.into()),
        Err(BatchError::TrailingBytes { at: whole.len() })
    );
}

#[test]
fn a_hole_a_broken_chain_and_another_run_are_told_apart() {
    let [first, second] = encoded();
    let read = |run, batches: &[&Bytes]| decode_history(run, batches.iter().copied());
    assert_eq!(
        read(RUN, &[&second]),
        Err(HistoryError::Batch {
            run: RUN,
            index: 0,
            after: 0,
            source: BatchError::UnknownSite { n: 4, refers_to: 2 }
        })
    );
    assert_eq!(
        read(RUN, &[&first, &first]),
        Err(HistoryError::Hole {
            run: RUN,
            after: 2,
            found: 1
        })
    );
    let forged = batch(3, [1; 16], vec![completed(3, 2)]).encode();
    assert_eq!(
        read(RUN, &[&first, &forged]),
        Err(HistoryError::BrokenChain { run: RUN, after: 2 })
    );
    let other = RunId([8; 16]);
    assert_eq!(
        read(other, &[&first]),
        Err(HistoryError::OtherRun {
            run: other,
            index: 0,
            found: RUN
        })
    );
}

#[test]
fn the_large_values_of_a_batch_are_found_wherever_they_stand() {
    let large = Bytes::from(vec![9; 300]);
    let completed = |command_n, result: &Bytes| Event::ActivityCompleted {
        command_n,
        attempt: 1,
        result: Payload(result.clone()),
    };
    let signal = Event::SignalReceived {
        message_id: MessageId("m-2".into()),
        name: "added".into(),
        arguments: Payload(large.clone()),
    };
    let batch = Batch {
        run: RUN,
        first_n: 3,
        prev_hash: [0; 16],
        epoch: 1,
        flags: 0,
        records: vec![
            event(3, completed(2, &Bytes::from_static(b"small"))),
            event(4, completed(2, &large)),
            event(5, signal),
        ],
    };
    let encoded = batch.encode();
    let found = Batch::large_values(&encoded, 300);
    let values: Vec<&[u8]> = found.iter().map(|at| &encoded[at.clone()]).collect();
    assert_eq!(values, [&large[..], &large[..]]);
    assert_eq!(Batch::large_values(&encoded, 301), []);
    assert_eq!(
        Batch::large_values(&encoded.slice(..encoded.len() - 300), 300),
        [],
        "not a batch"
    );
}
