//! One flipped bit anywhere in a store: a wrong value never, "there is none" never in its place.
//!
//! The law. A store with one flipped bit is refused at its opening, or opens; then each question
//! gets the answer of the sound store or `Damaged`. A bit inside the value of a row, such as a
//! batch, disturbs no other run than the row's; one in the bookkeeping of a page may disturb the
//! runs that need that page, and each of them hears of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use perdure_history::RunId;
use perdure_store::validation::fixture::{
    batch, batch_of, close, create, id, message, put_timer, run, step, timer, value,
};
use perdure_store::{
    Append, AppendError, IndexChange, LocalReader, LocalStore, RunFilter, Standby, Store,
    StoreError,
};

mod support;

use support::{Folder, Random};

/// Flips that are tried; `PERDURE_FLIPS` asks for more.
const FLIPS: u64 = 80;

/// Enough runs for indexes of more than one page.
const RUNS: u32 = 210;

/// The last runs are open.
const CLOSED: u32 = 190;

const ENDINGS: [&str; 7] = [
    "",
    "-wal",
    "-shm",
    "-inbox",
    "-inbox-wal",
    "-inbox-shm",
    "-journal",
];

fn make(path: &Path) {
    let mut store = LocalStore::open_owner(path, Standby::Refuse).unwrap();
    let creates: Vec<Append> = (1..=RUNS).map(|number| create(&store, number)).collect();
    let signalled = (1..=RUNS).map(|number| {
        let mut signalled = step(&store, number, 2, 1);
        signalled.consumed_message_ids = vec![id("signal")];
        if number % 10 == 0 {
            let mut large = timer(99, 5);
            large.state = vec![9; 1_500].into();
            signalled.index_changes = vec![put_timer(2, 60), IndexChange::Put(large)];
            signalled.batch = Some(vec![number as u8; 9_000].into());
        }
        if number % 10 == 5 {
            let large = value(u64::from(number) << 32, 17_000);
            signalled.batch = Some(batch_of(&[&large]));
        }
        signalled
    });
    let signalled: Vec<Append> = signalled.collect();
    let closes: Vec<Append> = (1..=CLOSED)
        .map(|number| close(&store, number, 3, i64::from(number)))
        .collect();
    for group in [creates, signalled, closes] {
        let results = store.append(&group).unwrap();
        assert!(results.iter().all(Result::is_ok));
    }
    for number in CLOSED + 1..=RUNS {
        let waiting = message(Some(run(number)), "more signals");
        assert!(store.post(&waiting).unwrap());
    }
}

/// Asks everything that can be asked of one run.
fn ask(
    number: u32,
    describe: &dyn Fn(RunId) -> Result<String, StoreError>,
    list: &dyn Fn(&RunFilter) -> Result<String, StoreError>,
    read: &dyn Fn(RunId) -> Result<String, StoreError>,
) -> [Result<String, StoreError>; 3] {
    let filter = RunFilter {
        namespace: Some("default".to_owned()),
        workflow_id: Some(format!("workflow-{number}")),
        ..RunFilter::default()
    };
    [describe(run(number)), list(&filter), read(run(number))]
}

fn answers_of_owner(store: &LocalStore, number: u32) -> Vec<Result<String, StoreError>> {
    let mut answers = Vec::from(ask(
        number,
        &|run| store.describe(run).map(|found| format!("{found:?}")),
        &|filter| store.list(filter).map(|found| format!("{found:?}")),
        &|run| store.read(run, 1).map(|found| format!("{found:?}")),
    ));
    let start = store.started_by(&id(&format!("start-{number}")));
    answers.push(start.map(|found| format!("{found:?}")));
    answers
}

fn answers_of_reader(store: &LocalReader, number: u32) -> [Result<String, StoreError>; 3] {
    ask(
        number,
        &|run| store.describe(run).map(|found| format!("{found:?}")),
        &|filter| store.list(filter).map(|found| format!("{found:?}")),
        &|run| store.read(run, 1).map(|found| format!("{found:?}")),
    )
}

/// What is asked of the whole store.
fn answers_of_all(store: &LocalStore) -> [Result<String, StoreError>; 3] {
    let all = RunFilter {
        limit: usize::MAX,
        ..RunFilter::default()
    };
    [
        store.list(&all).map(|found| format!("{found:?}")),
        store.recover().map(|found| format!("{found:?}")),
        store.inbox(None).map(|found| format!("{found:?}")),
    ]
}

/// Writes that a sound store refuses, with its answer; and one that it takes.
fn writes(store: &LocalStore, number: u32) -> [Append; 3] {
    let again = Append {
        run: run(9_000 + number),
        ..create(store, number)
    };
    let mut taken = again.clone();
    if let Some(new) = &mut taken.create {
        new.message_id = id(&format!("another-start-{number}"));
    }
    let mut twice = step(store, number, 3, 1);
    twice.consumed_message_ids = vec![id("signal")];
    [again, taken, twice]
}

fn expected_of_writes(number: u32) -> [Result<(), AppendError>; 3] {
    let open = number > CLOSED;
    let already = AppendError::AlreadyStarted { run: run(number) };
    let taken = AppendError::AlreadyOpen {
        workflow_id: format!("workflow-{number}"),
        open_run: run(number),
    };
    let twice = AppendError::AlreadyConsumed {
        run: run(number),
        message_id: id("signal"),
    };
    [
        Err(already),
        if open { Err(taken) } else { Ok(()) },
        Err(twice),
    ]
}

/// What became of one damaged copy.
#[derive(Default)]
struct Outcome {
    refused: bool,
    disturbed: BTreeSet<u32>,
}

struct Sound {
    bytes: Vec<u8>,
    owner: Vec<Vec<Result<String, StoreError>>>,
    all: [Result<String, StoreError>; 3],
}

fn try_copy(copy: &Path, sound: &Sound, what: &str) -> Outcome {
    let mut outcome = Outcome::default();
    let damaged = |error: &StoreError| matches!(error, StoreError::Damaged { .. });
    let mut store = match LocalStore::open_owner(copy, Standby::Refuse) {
        Ok(store) => store,
        Err(error) => {
            let typed = damaged(&error)
                || matches!(
                    error,
                    StoreError::NotAStore { .. } | StoreError::NewerFormat { .. }
                );
            assert!(typed, "{what}: {error:?}");
            outcome.refused = true;
            return outcome;
        }
    };
    let compare = |found: &Result<String, StoreError>, expected: &Result<String, StoreError>| {
        if found == expected {
            return true;
        }
        let error = found.as_ref().err();
        assert!(
            error.is_some_and(damaged),
            "{what}: {found:?} instead of {expected:?}"
        );
        false
    };
    for (found, expected) in answers_of_all(&store).iter().zip(&sound.all) {
        compare(found, expected);
    }
    let reader = LocalReader::open(copy);
    for number in 1..=RUNS {
        let expected = &sound.owner[number as usize - 1];
        let mut right = true;
        for (found, expected) in answers_of_owner(&store, number).iter().zip(expected) {
            right &= compare(found, expected);
        }
        match &reader {
            Ok(reader) => {
                for (found, expected) in answers_of_reader(reader, number).iter().zip(expected) {
                    right &= compare(found, expected);
                }
            }
            Err(error) => assert!(damaged(error), "{what}: {error:?}"),
        }
        if !right {
            outcome.disturbed.insert(number);
        }
    }
    drop(reader);
    try_writes(&mut store, &mut outcome, what);
    outcome
}

fn try_writes(store: &mut LocalStore, outcome: &mut Outcome, what: &str) {
    for number in (1..=RUNS).step_by(7).chain([RUNS]) {
        let expected = expected_of_writes(number);
        for (write, expected) in writes(store, number).into_iter().zip(expected) {
            // To a closed run nothing is written, whatever it has consumed.
            let closed = number <= CLOSED && write.create.is_none();
            if closed || (write.create.is_some() && expected.is_ok()) {
                continue;
            }
            let found = match store.append(std::slice::from_ref(&write)) {
                Ok(mut results) => results.remove(0),
                Err(StoreError::Damaged { reason, .. }) => {
                    Err(AppendError::StoreDamaged { reason })
                }
                Err(error) => panic!("{what}: {error:?}"),
            };
            if found == expected {
                continue;
            }
            let typed = matches!(
                found,
                Err(AppendError::Damaged { .. } | AppendError::StoreDamaged { .. })
            );
            assert!(typed, "{what}: {found:?} instead of {expected:?}");
            outcome.disturbed.insert(number);
        }
    }
}

/// The run in the value of whose batch a byte lies, if it lies in one. Pages of indexes may hold
/// remains of batches in their free space.
fn batch_at(bytes: &[u8], at: usize) -> Option<u32> {
    if at < 4_096 || bytes[at - at % 4_096] != 0x0D {
        return None;
    }
    (1..=RUNS).find(|number| {
        let bodies = [2, 4].map(|last_n| batch(*number, last_n));
        bodies.iter().any(|body| {
            let from = at.saturating_sub(body.len() - 1);
            (from..=at).any(|start| bytes[start..].starts_with(body))
        })
    })
}

fn fresh(copy: &Path, bytes: &[u8]) {
    for ending in ENDINGS {
        let mut name = copy.as_os_str().to_owned();
        name.push(ending);
        drop(fs::remove_file(PathBuf::from(name)));
    }
    fs::write(copy, bytes).unwrap();
}

#[test]
fn a_flipped_bit_is_told_of_or_changes_nothing() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    make(&path);
    let bytes = fs::read(&path).unwrap();
    let sound = {
        let store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
        Sound {
            owner: (1..=RUNS)
                .map(|number| answers_of_owner(&store, number))
                .collect(),
            all: answers_of_all(&store),
            bytes,
        }
    };
    let copy = folder.file("copy.db");
    fresh(&copy, &sound.bytes);
    let undamaged = try_copy(&copy, &sound, "nothing flipped");
    assert!(!undamaged.refused && undamaged.disturbed.is_empty());
    let flips = std::env::var("PERDURE_FLIPS").map_or(FLIPS, |count| count.parse().unwrap());
    let mut random = Random::new(20_261_123);
    let used: Vec<usize> = (0..sound.bytes.len())
        .filter(|at| sound.bytes[*at] != 0)
        .collect();
    let (mut refused, mut told, mut most) = (0, 0, 0);
    let structure: Vec<usize> = used
        .iter()
        .copied()
        .filter(|at| [0x02, 0x05, 0x0A].contains(&sound.bytes[at - at % 4_096]))
        .collect();
    for round in 0..flips {
        let at = match round % 4 {
            // The heads of pages, where one bit matters most.
            0 => {
                let page = random.below(sound.bytes.len() as u64 / 4_096) as usize;
                page * 4_096 + random.below(12) as usize
            }
            1 | 2 => structure[random.below(structure.len() as u64) as usize],
            _ => used[random.below(used.len() as u64) as usize],
        };
        let bit = random.below(8);
        let what = format!("round {round}, bit {bit} of byte {at}");
        let mut damaged = sound.bytes.clone();
        damaged[at] ^= 1 << bit;
        fresh(&copy, &damaged);
        let outcome = try_copy(&copy, &sound, &what);
        if let Some(number) = batch_at(&sound.bytes, at) {
            let others = outcome.disturbed.iter().filter(|run| **run != number);
            assert_eq!(others.count(), 0, "{what}: in a batch of run {number}");
            assert!(!outcome.refused, "{what}: in a batch of run {number}");
        }
        refused += u64::from(outcome.refused);
        told += u64::from(!outcome.disturbed.is_empty());
        most = most.max(outcome.disturbed.len());
    }
    println!("{flips} flips: {refused} refused, {told} told of, at most for {most} runs");
    assert!(
        refused > 0 && told > 0,
        "the flips hit nothing that matters"
    );
}
