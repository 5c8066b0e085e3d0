//! Writes to test with.

use bytes::Bytes;
use perdure_history::{IdReusePolicy, MessageId, RunId, Timestamp, VisibilityChange};

use crate::append::{
    Append, AppendError, Close, InboxMessage, IndexChange, NewRun, Outstanding, OutstandingKind,
    RunStatus,
};
use crate::store::Store;

/// The run of this number, whose id begins with its time as a UUIDv7 does.
#[must_use]
pub fn run(number: u32) -> RunId {
    let mut id = [0x70; 16];
    id.iter_mut()
        .zip(number.to_be_bytes())
        .for_each(|(byte, digit)| *byte = digit);
    RunId(id)
}

/// An instant of the test's own time.
#[must_use]
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

/// A message id.
#[must_use]
pub fn id(text: &str) -> MessageId {
    MessageId(text.to_owned())
}

/// A message.
#[must_use]
pub fn message(run: Option<RunId>, text: &str) -> InboxMessage {
    InboxMessage {
        run,
        message_id: id(text),
        received_at: at(1),
        body: Bytes::from(format!("body of {text}")),
    }
}

/// A write that changes nothing: the tests add what they need.
#[must_use]
pub fn nothing(store: &impl Store, run: RunId, n: u64) -> Append {
    Append {
        run,
        create: None,
        expected_n: n,
        last_n: n,
        epoch: store.epoch(),
        batch: None,
        index_changes: Vec::new(),
        consumed_message_ids: Vec::new(),
        inbox: Vec::new(),
        outbox: Vec::new(),
        status: None,
        visibility: VisibilityChange::default(),
        rates: Vec::new(),
        close: None,
    }
}

/// The write that makes run `number`, with the records up to 2.
#[must_use]
pub fn create(store: &impl Store, number: u32) -> Append {
    Append {
        create: Some(NewRun {
            namespace: "default".to_owned(),
            workflow_id: format!("workflow-{number}"),
            workflow_type: "audit".to_owned(),
            task_queue: "main".to_owned(),
            message_id: id(&format!("start-{number}")),
            started_at: at(i64::from(number)),
            reuse: IdReusePolicy::AllowDuplicate,
        }),
        last_n: 2,
        batch: Some(batch(number, 2)),
        ..nothing(store, run(number), 0)
    }
}

/// The write that adds `records` records after record `n`.
#[must_use]
pub fn step(store: &impl Store, number: u32, n: u64, records: u64) -> Append {
    Append {
        last_n: n + records,
        batch: Some(batch(number, n + records)),
        ..nothing(store, run(number), n)
    }
}

/// The write that closes run `number` after record `n`.
#[must_use]
pub fn close(store: &impl Store, number: u32, n: u64, second: i64) -> Append {
    Append {
        close: Some(Close {
            status: RunStatus::Completed,
            closed_at: at(second),
        }),
        ..step(store, number, n, 1)
    }
}

/// The bytes of the batch of run `number` that ends with record `last_n`.
#[must_use]
pub fn batch(number: u32, last_n: u64) -> Bytes {
    Bytes::from(format!("batch of run {number} up to record {last_n}"))
}

/// The bytes of a batch that holds these values, as the history writes them.
#[must_use]
pub fn batch_of(values: &[&[u8]]) -> Bytes {
    let length = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let mut batch = vec![0xdd];
    batch.extend(length(values.len()));
    for value in values {
        batch.push(0xc6);
        batch.extend(length(value.len()));
        batch.extend_from_slice(value);
    }
    batch.into()
}

/// A value of so many bytes with nothing in it twice; another one for each seed.
#[must_use]
pub fn value(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed;
    let mut value = Vec::with_capacity(bytes + 8);
    while value.len() < bytes {
        // SplitMix64.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        value.extend_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    value.truncate(bytes);
    value
}

/// An outstanding timer.
#[must_use]
pub fn timer(command_n: u64, second: i64) -> Outstanding {
    Outstanding {
        command_n,
        kind: OutstandingKind::Timer,
        due_at: at(second),
        state: Bytes::from(format!("timer {command_n}")),
    }
}

/// The change that puts an outstanding timer.
#[must_use]
pub fn put_timer(command_n: u64, second: i64) -> IndexChange {
    IndexChange::Put(timer(command_n, second))
}

/// Writes single entries.
pub trait WriteOne: Store {
    /// Writes one entry as a group of its own.
    ///
    /// # Errors
    /// As the store answers.
    fn write(&mut self, entry: Append) -> Result<(), AppendError> {
        let mut results = self.append(&[entry]).unwrap();
        assert_eq!(results.len(), 1, "one result an entry");
        results.remove(0)
    }
}

impl<S: Store> WriteOne for S {}

/// The ids of all messages in the inbox.
pub fn waiting(store: &impl Store) -> Vec<String> {
    store
        .inbox(None)
        .unwrap()
        .into_iter()
        .map(|message| message.message_id.0)
        .collect()
}
