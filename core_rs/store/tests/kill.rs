//! A process that writes is killed with SIGKILL at seeded random points: every acknowledged write
//! is there, none is torn, and the next owner takes over at once.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use perdure_store::validation::fixture::{
    WriteOne, batch, batch_of, create, id, message, put_timer, run, step, timer, value,
};
use perdure_store::{
    Append, IndexChange, LocalReader, LocalStore, Owner, Standby, Store, StoreError, StorePaths,
};

mod support;

use support::{Folder, Random, child, child_path};

const RUNS: u32 = 3;
const KILLS: u32 = 50;

/// The write after record `n`: the timer before is done, the next one begins, a message to itself
/// is taken and another sent.
fn next(store: &LocalStore, number: u32, n: u64) -> Append {
    let mut append = step(store, number, n, 1);
    if n > 2 {
        append
            .index_changes
            .push(IndexChange::Remove { command_n: n });
        append.consumed_message_ids.push(id(&n.to_string()));
    }
    append.index_changes.push(put_timer(n + 1, 60));
    append
        .outbox
        .push(message(Some(run(number)), &(n + 1).to_string()));
    append.batch = Some(expected(number, n + 1));
    append
}

fn expected(number: u32, n: u64) -> Bytes {
    match n {
        // Now and then a batch that fills many pages.
        n if n > 2 && n % 16 == 1 => Bytes::from(vec![(n - 1) as u8; 200_000]),
        // One that shares chunks with other runs, and with its own earlier ones.
        n if n > 2 && n % 8 == 1 => batch_of(&[&value(n % 64, 60_000), &value(1, 30_000)]),
        n => batch(number, n),
    }
}

#[test]
#[ignore = "the child of the tests below"]
fn writer() {
    let Some(path) = child_path() else { return };
    let mut store = LocalStore::open_owner(&path, Standby::Wait).unwrap();
    let mut last = BTreeMap::new();
    for number in 1..=RUNS {
        let last_n = match store.describe(run(number)).unwrap() {
            Some(summary) => summary.last_n,
            None => store.write(create(&store, number)).map(|()| 2).unwrap(),
        };
        last.insert(number, last_n);
    }
    let mut out = std::io::stdout().lock();
    loop {
        for (number, n) in &last {
            writeln!(out, "ack {number} {n}").unwrap();
        }
        out.flush().unwrap();
        let group: Vec<Append> = last
            .iter()
            .map(|(number, n)| next(&store, *number, *n))
            .collect();
        for result in store.append(&group).unwrap() {
            result.unwrap();
        }
        last.values_mut().for_each(|n| *n += 1);
    }
}

/// Checks that runs are whole up to some record, and gives which.
fn whole(store: &impl Store) -> BTreeMap<u32, u64> {
    let recovery = store.recover().unwrap();
    let mut found = BTreeMap::new();
    for (summary, outstanding) in &recovery.runs {
        let number = u32::from_be_bytes(summary.run.0[..4].try_into().unwrap());
        let n = summary.last_n;
        let batches = store.read(summary.run, 1).unwrap();
        let all: Vec<Bytes> = (2..=n).map(|n| expected(number, n)).collect();
        assert!(batches == all, "run {number} up to record {n}");
        if n > 2 {
            assert_eq!(outstanding, &[timer(n, 60)]);
            let waits: Vec<_> = recovery
                .inbox
                .iter()
                .filter(|message| message.run == Some(summary.run))
                .map(|message| message.message_id.0.clone())
                .collect();
            assert_eq!(waits, [n.to_string()]);
        }
        found.insert(number, n);
    }
    found
}

/// Lets a writer run until so many acknowledgements, kills it after a random wait, and gives what
/// it acknowledged.
fn kill_a_writer(path: &Path, random: &mut Random) -> BTreeMap<u32, u64> {
    let mut writer = child("writer", path, &[]);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeMap::new();
    let mut note = |line: String| {
        if let Some(text) = line.strip_prefix("ack ") {
            let (number, n) = text.split_once(' ').unwrap();
            acknowledged.insert(number.parse().unwrap(), n.parse().unwrap());
        }
    };
    for _ in 0..random.below(30) * 3 {
        note(lines.next().unwrap().unwrap());
    }
    // Within a write: a spin is as fine as the clock, and asserts nothing.
    let until = Instant::now() + Duration::from_micros(random.below(2_000));
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    lines.map_while(Result::ok).for_each(note);
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut random = Random::new(20_260_823);
    for kill in 0..KILLS {
        let acknowledged = kill_a_writer(&path, &mut random);
        let store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
        let found = whole(&store);
        for (number, n) in acknowledged {
            let stored = found.get(&number).copied().unwrap_or(0);
            let in_order = stored == n || stored == n + 1;
            assert!(
                in_order,
                "kill {kill}: run {number} was told {n}, has {stored}"
            );
        }
    }
}

#[test]
fn a_copy_taken_live_opens_consistent_or_is_refused() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut writer = child("writer", &path, &[]);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut opened = 0;
    for copy in 0..10 {
        for _ in 0..30 {
            lines.next().unwrap().unwrap();
        }
        let to = folder.file(&format!("copy-{copy}.db"));
        std::fs::copy(&path, &to).unwrap();
        let log = |path: &Path| path.with_extension("db-wal");
        std::fs::copy(log(&path), log(&to)).unwrap();
        match LocalStore::open_owner(&to, Standby::Refuse) {
            Ok(store) => {
                whole(&store);
                opened += 1;
            }
            Err(StoreError::Damaged { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(opened > 0, "no copy was consistent");
}

#[test]
fn readers_see_whole_commits_while_the_owner_writes() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut writer = child("writer", &path, &[]);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    // The first acknowledgements follow the creation of all runs.
    let first: Vec<String> = lines
        .by_ref()
        .map_while(Result::ok)
        .filter(|line| line.starts_with("ack "))
        .take(60)
        .collect();
    assert_eq!(first.len(), 60);
    let reader = LocalReader::open(&path).unwrap();
    let mut before = 0;
    for _ in 0..20 {
        let n = reader.describe(run(1)).unwrap().unwrap().last_n;
        assert!(n >= before);
        let batches = reader.read(run(1), 1).unwrap();
        assert!(batches.len() as u64 + 1 >= n);
        assert!(
            batches
                .iter()
                .zip(2..)
                .all(|(found, n)| *found == expected(1, n))
        );
        before = n;
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
}

#[test]
fn a_standby_takes_over_when_the_owner_is_killed() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut writer = child("writer", &path, &[]);
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    while !lines.next().unwrap().unwrap().starts_with("ack ") {}

    let owned = |standby| match LocalStore::open_owner(&path, standby) {
        Err(StoreError::Owned { owner_pid, .. }) => owner_pid,
        other => panic!("{other:?}"),
    };
    assert_eq!(owned(Standby::Refuse), writer.id());
    assert_eq!(
        owned(Standby::WaitFor(Duration::from_millis(20))),
        writer.id()
    );
    let paths = StorePaths::new(&path).unwrap();
    let owner = Owner::find(&paths).unwrap().unwrap();
    assert_eq!(
        (owner.pid, owner.epoch, &owner.socket),
        (writer.id(), 1, &paths.socket)
    );

    let standby = std::thread::spawn({
        let path = path.clone();
        move || {
            let store = LocalStore::open_owner(&path, Standby::Wait).unwrap();
            (store.epoch(), Instant::now(), whole(&store))
        }
    });
    // The standby may begin to wait before or after the kill: it takes over either way.
    writer.kill().unwrap();
    let killed_at = Instant::now();
    writer.wait().unwrap();
    let (epoch, taken_at, found) = standby.join().unwrap();
    assert_eq!(epoch, 2);
    assert_eq!(found.len(), RUNS as usize);
    assert!(taken_at - killed_at < Duration::from_secs(5));
    assert_eq!(Owner::find(&paths).unwrap(), None, "nobody owns it now");
}

#[test]
fn an_owner_without_its_lock_is_fenced() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut old = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    old.write(create(&old, 1)).unwrap();
    // Somebody deletes the lock file: a second owner then gets in, and the epoch keeps order.
    std::fs::remove_file(&old.paths().lock).unwrap();
    let mut new = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    new.write(step(&new, 1, 2, 1)).unwrap();
    for n in [2, 3] {
        let refused = old.write(step(&old, 1, n, 1));
        let fenced = perdure_store::AppendError::Fenced {
            run: run(1),
            expected_n: n,
            epoch: 1,
            found_n: 3,
            found_epoch: 2,
        };
        assert_eq!(refused, Err(fenced));
    }
    let late = old.post(&message(Some(run(1)), "late"));
    assert!(
        matches!(
            late,
            Err(StoreError::Fenced {
                epoch: 1,
                found_epoch: 2,
                ..
            })
        ),
        "{late:?}"
    );
    assert_eq!(new.read(run(1), 1).unwrap(), [batch(1, 2), batch(1, 3)]);
}
