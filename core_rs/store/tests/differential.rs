//! One random sequence drives the oracle, the local store and the simulated store: each answer and
//! everything to be seen is the same. A failing sequence is printed, smallest first.

#![allow(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use perdure_history::{Payload, RunId};
use perdure_store::validation::fixture::{
    at, batch, batch_of, close, create, id, message, nothing, put_timer, run, step, timer, value,
};
use perdure_store::{
    Append, IndexChange, LocalReader, LocalStore, MemoryStore, RateMark, RunStatus, SimulatedStore,
    Standby, StatusChange, Store,
};
use proptest::prelude::*;

mod support;

use support::{Folder, chunks_left_behind, everything, search_value};

/// One write, with everything it may carry. Numbers that do not fit are part of the game.
#[derive(Clone, Debug)]
struct Entry {
    number: u32,
    /// What is added to the last record that the store knows; mostly nothing.
    offset: u64,
    shape: u8,
    consumed: Vec<u8>,
    inbox: Vec<u8>,
    outbox: Vec<(u8, u8)>,
    puts: Vec<(u64, u16)>,
    removes: Vec<u64>,
    attributes: Vec<(u8, u8)>,
    epoch_before: bool,
    /// Which large value it has; 0 for none.
    large: u8,
}

#[derive(Clone, Debug)]
enum Act {
    Group(Vec<Entry>),
    Post(u8, u8),
    Discard(u8, u8),
    Inbox(u8),
    Read(u32, u64),
    Retain(i64, usize),
    Reopen,
}

fn entry() -> impl Strategy<Value = Entry> {
    let small = || prop::collection::vec(0..6_u8, 0..3);
    (
        (
            1..6_u32,
            prop_oneof![9 => Just(0_u64), 1 => 1..3_u64],
            0..12_u8,
            small(),
            small(),
        ),
        prop::collection::vec((0..7_u8, 0..6_u8), 0..2),
        prop::collection::vec((0..8_u64, 0..700_u16), 0..4),
        prop::collection::vec(0..8_u64, 0..3),
        prop::collection::vec((0..3_u8, 0..10_u8), 0..3),
        (
            prop::bool::weighted(0.05),
            prop_oneof![3 => Just(0_u8), 1 => 1..4_u8],
        ),
    )
        .prop_map(
            |(
                (number, offset, shape, consumed, inbox),
                outbox,
                puts,
                removes,
                attributes,
                (old, large),
            )| {
                Entry {
                    number,
                    offset,
                    shape,
                    consumed,
                    inbox,
                    outbox,
                    puts,
                    removes,
                    attributes,
                    epoch_before: old,
                    large,
                }
            },
        )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        10 => prop::collection::vec(entry(), 1..5).prop_map(Act::Group),
        3 => (0..7_u8, 0..6_u8).prop_map(|(run, id)| Act::Post(run, id)),
        1 => (0..7_u8, 0..6_u8).prop_map(|(run, id)| Act::Discard(run, id)),
        1 => (0..7_u8).prop_map(Act::Inbox),
        1 => (1..6_u32, 0..12_u64).prop_map(|(number, from_n)| Act::Read(number, from_n)),
        1 => (0..40_i64, 0..3_usize).prop_map(|(second, limit)| Act::Retain(second, limit)),
        1 => Just(Act::Reopen),
    ]
}

fn target(number: u8) -> Option<RunId> {
    (number > 0).then(|| run(u32::from(number)))
}

/// The write that an entry stands for, on what the oracle holds.
fn build(oracle: &MemoryStore, entry: &Entry) -> Append {
    let known = oracle
        .describe(run(entry.number))
        .unwrap()
        .map_or(0, |summary| summary.last_n);
    let n = known + entry.offset;
    let mut append = match entry.shape {
        0 => create(oracle, entry.number),
        // Another run under the same workflow id, or under the same start.
        1 => same_names(oracle, entry.number, true),
        2 => same_names(oracle, entry.number, false),
        3 => close(oracle, entry.number, n, i64::from(entry.number) * 7),
        4 => nothing(oracle, run(entry.number), n),
        _ if known == 0 => create(oracle, entry.number),
        _ => step(oracle, entry.number, n, 1 + u64::from(entry.shape % 3)),
    };
    append.batch = append.batch.map(|_| batch_for(entry, append.last_n));
    append.consumed_message_ids = entry.consumed.iter().map(|n| id(&n.to_string())).collect();
    append.inbox = entry
        .inbox
        .iter()
        .map(|n| message(Some(append.run), &n.to_string()))
        .collect();
    append.outbox = entry
        .outbox
        .iter()
        .map(|(to, n)| message(target(*to), &n.to_string()))
        .collect();
    for (command_n, length) in &entry.puts {
        let mut put = timer(*command_n, i64::from(*length));
        put.state = vec![7; usize::from(*length)].into();
        append.index_changes.push(IndexChange::Put(put));
    }
    let removes = entry
        .removes
        .iter()
        .map(|n| IndexChange::Remove { command_n: *n });
    append.index_changes.extend(removes);
    for (name, value) in &entry.attributes {
        let change = (format!("A{name}"), search_value(*value));
        append.visibility.search_attributes.push(change);
    }
    if entry.attributes.len() == 1 {
        let note = Some(Payload(vec![entry.shape].into()));
        append.visibility.memo.push(("note".to_owned(), note));
    }
    for (name, value) in &entry.attributes {
        append.rates.push(RateMark {
            key: format!("key-{name}").into(),
            slice: at(i64::from(entry.shape % 3)),
            units: u64::from(*value),
            until: (*value > 2).then(|| at(i64::from(*value) * 4)),
        });
    }
    if entry.shape == 4 {
        append.status = Some(StatusChange {
            status: RunStatus::Parked,
            detail: "bug".into(),
        });
    }
    if entry.shape == 5 {
        append.index_changes.push(put_timer(99, 1));
        append.status = Some(StatusChange {
            status: RunStatus::Running,
            detail: "".into(),
        });
    }
    append.epoch -= u64::from(entry.epoch_before);
    append
}

fn batch_for(entry: &Entry, last_n: u64) -> Bytes {
    let small = batch(entry.number, last_n);
    match entry.large {
        0 => small,
        // What several runs have, and what grows.
        large => batch_of(&[
            &small,
            &value(u64::from(large % 2), 17_000 + 3_000 * last_n as usize),
        ]),
    }
}

fn same_names(oracle: &MemoryStore, number: u32, same_id: bool) -> Append {
    let mut append = create(oracle, number);
    let new = append.create.as_mut().unwrap();
    if same_id {
        new.workflow_id = "workflow-1".to_owned();
    } else {
        new.message_id = id("start-1");
    }
    append
}

fn agree(acts: &[Act]) {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut oracle = MemoryStore::new();
    let mut simulated = SimulatedStore::new();
    let mut local = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    for act in acts {
        match act {
            Act::Group(entries) => {
                let group: Vec<Append> =
                    entries.iter().map(|entry| build(&oracle, entry)).collect();
                let expected = oracle.append(&group);
                assert_eq!(local.append(&group), expected);
                assert_eq!(simulated.append(&group), expected);
            }
            Act::Post(to, n) => {
                let message = message(target(*to), &n.to_string());
                let expected = oracle.post(&message);
                assert_eq!(local.post(&message), expected);
                assert_eq!(simulated.post(&message), expected);
            }
            Act::Discard(to, n) => {
                let expected = oracle.discard(target(*to), &id(&n.to_string()));
                assert_eq!(local.discard(target(*to), &id(&n.to_string())), expected);
                assert_eq!(
                    simulated.discard(target(*to), &id(&n.to_string())),
                    expected
                );
            }
            Act::Inbox(n) => {
                let after = id(&n.to_string());
                assert_eq!(local.inbox(Some(&after)), oracle.inbox(Some(&after)));
            }
            Act::Read(number, from_n) => {
                assert_eq!(
                    local.read(run(*number), *from_n),
                    oracle.read(run(*number), *from_n)
                );
            }
            Act::Retain(second, limit) => {
                let expected = oracle.retain(at(*second), *limit);
                assert_eq!(local.retain(at(*second), *limit), expected);
                assert_eq!(simulated.retain(at(*second), *limit), expected);
            }
            Act::Reopen => {
                drop(local);
                local = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
                oracle = oracle.reopened();
                simulated.reopen();
            }
        }
    }
    let expected = everything(&oracle).unwrap();
    assert_eq!(everything(&local).unwrap(), expected);
    assert_eq!(everything(&simulated).unwrap(), expected);
    drop(local);
    let local = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    assert_eq!(everything(&local).unwrap(), expected);
    LocalReader::open(&path).unwrap().check().unwrap();
    drop(local);
    assert_eq!(chunks_left_behind(&path), 0);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn all_stores_give_the_same_answers(acts in prop::collection::vec(act(), 1..40)) {
        agree(&acts);
    }
}
