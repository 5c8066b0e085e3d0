//! A process dies at every named fail point: before the write, torn, after the write, after the
//! sync. The store it leaves is compared with the oracle.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;

use perdure_history::RunId;
use perdure_store::fail_points::{self, VARIABLE, WRITES, Way, ways};
use perdure_store::validation::fixture::{
    WriteOne, at, batch_of, close, create, id, message, put_timer, run, step, value,
};
use perdure_store::{Inbox, InboxMessage, LocalReader, LocalStore, MemoryStore, Standby, Store};

mod support;

use support::{Folder, child, child_path, chunks_left_behind, everything};

/// How many times of each point are tried: all writes of the script.
const POINTS: u64 = 12;

/// One change of the script.
#[derive(Clone, Copy)]
enum Deed {
    Create(u32),
    Step(u32, u64),
    Large(u32, u64),
    Take(u32, u64, &'static str),
    Close(u32, u64, i64),
    Post(Option<RunId>, &'static str),
    Leave(Option<RunId>, &'static str),
    Discard(Option<RunId>, &'static str),
    Retain(i64),
}

fn script() -> Vec<Deed> {
    vec![
        Deed::Create(1),
        Deed::Create(2),
        Deed::Step(1, 2),
        Deed::Post(Some(run(1)), "signal"),
        Deed::Leave(Some(run(2)), "posted"),
        Deed::Leave(None, "start-3"),
        Deed::Take(1, 3, "signal"),
        Deed::Take(2, 2, "posted"),
        Deed::Create(3),
        Deed::Large(3, 2),
        Deed::Post(None, "refused"),
        Deed::Discard(None, "refused"),
        Deed::Large(2, 3),
        Deed::Close(2, 4, 50),
        Deed::Close(3, 3, 60),
        Deed::Retain(55),
        Deed::Large(1, 4),
        Deed::Retain(65),
        Deed::Step(1, 5),
    ]
}

/// Does one deed. Messages left by another process go through `leave`.
fn perform(
    deed: Deed,
    store: &mut impl Store,
    leave: &mut dyn FnMut(&InboxMessage) -> Option<bool>,
) {
    match deed {
        Deed::Create(number) => store.write(create(store, number)).unwrap(),
        Deed::Step(number, n) => {
            let mut steps = step(store, number, n, 1);
            steps.index_changes = vec![put_timer(n, 60)];
            steps.outbox = vec![message(Some(run(9)), &format!("{number}.{n}"))];
            store.write(steps).unwrap();
        }
        Deed::Large(number, n) => {
            let mut large = step(store, number, n, 1);
            // Part of it is what every other large step has too.
            let values = [value(1, 30_000), value(n << 32, 20_000)];
            large.batch = Some(batch_of(&[&values[0], &values[1]]));
            store.write(large).unwrap();
        }
        Deed::Take(number, n, text) => {
            // What is taken was read before.
            store.inbox(None).unwrap();
            let mut takes = step(store, number, n, 1);
            takes.consumed_message_ids = vec![id(text)];
            store.write(takes).unwrap();
        }
        Deed::Close(number, n, second) => {
            store.write(close(store, number, n, second)).unwrap();
        }
        Deed::Post(run, text) => assert!(store.post(&message(run, text)).unwrap()),
        Deed::Leave(run, text) => {
            let left = message(run, text);
            let new = leave(&left).unwrap_or_else(|| store.post(&left).unwrap());
            assert!(new);
        }
        Deed::Discard(run, text) => assert!(store.discard(run, &id(text)).unwrap()),
        Deed::Retain(second) => assert_eq!(store.retain(at(second), 9).unwrap(), 1),
    }
}

#[test]
#[ignore = "the child of the test below"]
fn doer() {
    let Some(path) = child_path() else { return };
    let mut out = std::io::stdout();
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    let mut inbox = Inbox::open(&path).unwrap();
    for deed in script() {
        perform(deed, &mut store, &mut |message| {
            Some(inbox.post(message).unwrap())
        });
        writeln!(out, "done").unwrap();
    }
    drop(store);
    for (name, count) in fail_points::reached() {
        writeln!(out, "reached {name} {count}").unwrap();
    }
}

/// Runs the script in a child that dies at `point`; gives how many deeds were acknowledged, and
/// the lines that say what was reached.
fn run_child(path: &Path, point: Option<String>) -> (usize, Vec<String>) {
    let variables = point.map(|point| (VARIABLE, point));
    let mut doer = child("doer", path, variables.as_slice());
    let lines = BufReader::new(doer.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let (mut done, mut reached) = (0, Vec::new());
    for line in lines {
        if line.ends_with("done") {
            done += 1;
        } else if let Some(counted) = line.strip_prefix("reached ") {
            reached.push(counted.to_owned());
        }
    }
    let status = doer.wait().unwrap();
    assert_eq!(status.success(), variables.is_none(), "{variables:?}");
    (done, reached)
}

/// What the oracle holds after so many deeds.
fn oracle(deeds: usize) -> String {
    let mut store = MemoryStore::new();
    for deed in script().into_iter().take(deeds) {
        perform(deed, &mut store, &mut |_| None);
    }
    everything(&store).unwrap()
}

#[test]
fn a_crash_at_every_point_leaves_whole_writes() {
    let folder = Folder::new();
    let (done, reached) = run_child(&folder.file("counting.db"), None);
    assert_eq!(done, script().len());
    let states: Vec<String> = (0..=done).map(oracle).collect();
    let points = WRITES
        .iter()
        .map(|(write, _)| ways(*write).len())
        .sum::<usize>();
    assert_eq!(reached.len(), points);
    for counted in reached {
        let (name, count) = counted.split_once(' ').unwrap();
        let count: u64 = count.parse().unwrap();
        assert!(count > 0, "no write reaches {name}");
        for time in 1..=count.min(POINTS) {
            let path = folder.file(&format!("{name}-{time}.db"));
            let (done, _) = run_child(&path, Some(format!("{name}:{time}")));
            let store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
            let found = everything(&store).unwrap();
            // Every chunk that a batch needs is there, and is what its address says.
            LocalReader::open(&path).unwrap().check().unwrap();
            drop(store);
            assert_eq!(chunks_left_behind(&path), 0, "{name}:{time}");
            let is = |deeds: usize| states.get(deeds) == Some(&found);
            let own = ["append", "post", "discard", "retain", "inbox_post"];
            let own = own.contains(&name.split('.').next().unwrap());
            let whole = match Way::of(name) {
                // A write beside the deed's own (opening, sweeping) changes nothing to be seen.
                _ if !own => is(done) || is(done + 1),
                Way::Before | Way::Torn => is(done),
                Way::AfterWrite | Way::AfterSync => is(done + 1),
            };
            assert!(whole, "{name}:{time} after {done} deeds left\n{found}");
        }
    }
}
