//! Truncated, bit-flipped, foreign and newer files: a typed error, or exactly what was stored.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::Path;

use perdure_store::validation::fixture::{
    WriteOne, batch_of, close, create, id, message, put_timer, run, step, timer, value,
};
use perdure_store::{
    Checked, Inbox, IndexChange, LocalReader, LocalStore, Standby, Store, StoreError,
};

mod support;

use support::{Folder, Random, everything};

/// Damaged copies that are tried.
const ROUNDS: u32 = 200;

/// A store with something in every table, closed.
fn make(path: &Path) -> String {
    let mut store = LocalStore::open_owner(path, Standby::Refuse).unwrap();
    for number in 1..=6 {
        store.write(create(&store, number)).unwrap();
        for n in 2..8 {
            let mut steps = step(&store, number, n, 1);
            steps.index_changes = vec![put_timer(n, 60), IndexChange::Remove { command_n: n - 2 }];
            if n == 4 {
                let mut large = timer(99, 5);
                large.state = vec![9; 3_000].into();
                steps.index_changes.push(IndexChange::Put(large));
                steps.batch = Some(vec![3; 9_000].into());
            }
            if n == 5 {
                let values = [value(1, 30_000), value(u64::from(number) << 32, 30_000)];
                steps.batch = Some(batch_of(&[&values[0], &values[1]]));
            }
            store.write(steps).unwrap();
        }
        store.post(&message(Some(run(number)), "signal")).unwrap();
    }
    let mut closes = close(&store, 2, 8, 9);
    closes.consumed_message_ids = vec![id("signal")];
    store.write(closes).unwrap();
    let found = everything(&store).unwrap();
    drop(store);
    found
}

fn open_and_read(path: &Path) -> Result<String, StoreError> {
    everything(&LocalStore::open_owner(path, Standby::Refuse)?)
}

/// Every typed answer to a damaged file; anything else than these is a guess.
fn is_typed(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Damaged { .. } | StoreError::NotAStore { .. } | StoreError::NewerFormat { .. }
    )
}

#[test]
fn a_damaged_file_is_refused_or_gives_what_was_stored() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let expected = make(&path);
    let bytes = fs::read(&path).unwrap();
    assert_eq!(open_and_read(&path).unwrap(), expected);
    let mut random = Random::new(7);
    let copy = folder.file("copy.db");
    let mut refused = 0;
    for round in 0..ROUNDS {
        let mut damaged = bytes.clone();
        let at = random.below(bytes.len() as u64) as usize;
        let what = if round % 8 == 0 {
            damaged.truncate(at.max(1));
            format!("cut at byte {at}")
        } else {
            // The first page holds the header and the schema: aimed at now and then.
            let at = if round % 8 == 1 { at % 4096 } else { at };
            let bit = random.below(8);
            damaged[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        };
        for suffix in [
            "",
            "-wal",
            "-shm",
            "-inbox",
            "-inbox-wal",
            "-inbox-shm",
            "-journal",
        ] {
            drop(fs::remove_file(folder.file(&format!("copy.db{suffix}"))));
        }
        fs::write(&copy, &damaged).unwrap();
        match open_and_read(&copy) {
            Ok(found) => assert!(found == expected, "{what}: other content without an error"),
            Err(error) => {
                assert!(is_typed(&error), "{what}: {error:?}");
                refused += 1;
            }
        }
    }
    assert!(
        refused > ROUNDS / 4,
        "only {refused} of {ROUNDS} were noticed"
    );
}

#[test]
fn other_files_are_refused_by_name() {
    let folder = Folder::new();
    let text = folder.file("text.db");
    fs::write(
        &text,
        "not a database at all, but long enough for a header ".repeat(4),
    )
    .unwrap();
    let foreign = folder.file("foreign.db");
    let other = rusqlite::Connection::open(&foreign).unwrap();
    other
        .execute_batch("CREATE TABLE users (id INTEGER PRIMARY KEY)")
        .unwrap();
    for path in [&text, &foreign] {
        let before = fs::read(path).unwrap();
        let refused = LocalStore::open_owner(path, Standby::Refuse).unwrap_err();
        assert!(
            matches!(refused, StoreError::NotAStore { .. }),
            "{refused:?}"
        );
        let refused = LocalReader::open(path).unwrap_err();
        assert!(
            is_typed(&refused) || matches!(refused, StoreError::Io { .. }),
            "{refused:?}"
        );
        assert_eq!(
            fs::read(path).unwrap(),
            before,
            "a foreign file is left as it is"
        );
    }
    let newer = folder.file("newer.db");
    drop(LocalStore::open_owner(&newer, Standby::Refuse).unwrap());
    let connection = rusqlite::Connection::open(&newer).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    let expected = StoreError::NewerFormat {
        path: newer.canonicalize().unwrap().display().to_string(),
        found: 9,
        supported: 3,
    };
    assert_eq!(
        LocalStore::open_owner(&newer, Standby::Refuse).unwrap_err(),
        expected
    );
    assert_eq!(LocalReader::open(&newer).unwrap_err(), expected);
    assert_eq!(Inbox::open(&newer).unwrap_err(), expected);
    let older = folder.file("older.db");
    drop(LocalStore::open_owner(&older, Standby::Refuse).unwrap());
    let connection = rusqlite::Connection::open(&older).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let refused = LocalStore::open_owner(&older, Standby::Refuse).unwrap_err();
    assert!(
        matches!(refused, StoreError::OlderFormat { found: 1, .. }),
        "{refused:?}"
    );
    let nowhere = folder.file("no/such/folder.db");
    let refused = LocalStore::open_owner(&nowhere, Standby::Refuse).unwrap_err();
    assert!(matches!(refused, StoreError::Io { .. }), "{refused:?}");
    let missing = LocalReader::open(&folder.file("missing.db")).unwrap_err();
    assert!(matches!(missing, StoreError::Io { .. }), "{missing:?}");
}

#[test]
fn posted_messages_wait_for_an_owner_and_arrive_once() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut inbox = Inbox::open(&path).unwrap();
    assert!(inbox.post(&message(None, "start-1")).unwrap());
    assert!(!inbox.post(&message(None, "start-1")).unwrap());
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    assert_eq!(store.recover().unwrap().inbox, [message(None, "start-1")]);
    store.write(create(&store, 1)).unwrap();
    assert_eq!(store.inbox(None).unwrap(), []);
    // The client repeats what it got no answer to: the owner knows it.
    assert!(inbox.post(&message(None, "start-1")).unwrap());
    assert_eq!(store.inbox(None).unwrap(), []);
    // Both ways keep one order of receipt.
    inbox.post(&message(Some(run(1)), "a")).unwrap();
    store.post(&message(Some(run(1)), "b")).unwrap();
    inbox.post(&message(Some(run(1)), "c")).unwrap();
    assert!(
        !store.post(&message(Some(run(1)), "a")).unwrap(),
        "it waits already"
    );
    let ids = |store: &LocalStore| -> Vec<String> {
        store
            .inbox(None)
            .unwrap()
            .into_iter()
            .map(|message| message.message_id.0)
            .collect()
    };
    assert_eq!(ids(&store), ["a", "b", "c"]);
    let mut takes = step(&store, 1, 2, 1);
    takes.consumed_message_ids = vec![id("a"), id("b")];
    store.write(takes).unwrap();
    assert_eq!(ids(&store), ["c"]);
    assert!(store.discard(Some(run(1)), &id("c")).unwrap());
    drop(store);
    let store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    assert_eq!(ids(&store), [] as [&str; 0]);
}

#[test]
fn a_client_that_stops_while_it_posts_does_not_stop_the_owner() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    store.write(create(&store, 1)).unwrap();
    Inbox::open(&path)
        .unwrap()
        .post(&message(Some(run(1)), "signal"))
        .unwrap();
    assert_eq!(store.inbox(None).unwrap().len(), 1);
    // Another client holds the write lock of the inbox and never lets go.
    let stopped = rusqlite::Connection::open(&store.paths().inbox).unwrap();
    stopped.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut takes = step(&store, 1, 2, 1);
    takes.consumed_message_ids = vec![id("signal")];
    store.write(takes).unwrap();
    store.post(&message(Some(run(1)), "more")).unwrap();
    let waits = store.inbox(None).unwrap();
    assert_eq!(
        waits,
        [message(Some(run(1)), "more")],
        "the consumed row is known by its id"
    );
    drop(stopped);
    store.write(step(&store, 1, 3, 1)).unwrap();
    let left: u32 = rusqlite::Connection::open(&store.paths().inbox)
        .unwrap()
        .query_row("SELECT count(*) FROM posted", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0, "deleted as soon as the file is free");
}

#[test]
fn a_full_check_reads_everything_that_is_stored() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    make(&path);
    let checked = LocalReader::open(&path).unwrap().check().unwrap();
    assert!(checked.chunks > 6, "{checked:?}");
    assert_eq!(
        checked,
        Checked {
            runs: 6,
            batches: 6 * 7 + 1,
            ..checked
        }
    );
    let connection = rusqlite::Connection::open(&path).unwrap();
    let lose = |sql: &str| {
        connection.execute_batch("BEGIN").unwrap();
        connection.execute(sql, []).unwrap();
        connection.execute_batch("COMMIT").unwrap();
        LocalReader::open(&path).unwrap().check().unwrap_err()
    };
    let error = lose("UPDATE batches SET batch = 900 WHERE batch = 9");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    let error = lose("DELETE FROM batches WHERE batch = 900");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[test]
fn what_another_program_has_copied_is_taken_and_what_it_has_changed_refused() {
    let folder = Folder::new();
    let path = folder.file("app.db");
    let expected = make(&path);
    let raw = rusqlite::Connection::open(&path).unwrap();
    let vacuumed = folder.file("vacuumed.db");
    let sql = format!("VACUUM INTO '{}'", vacuumed.display());
    raw.execute_batch(&sql).unwrap();
    assert_eq!(open_and_read(&vacuumed).unwrap(), expected);
    drop(raw);
    // What an owner that was killed has left in its log, another program copies into the database.
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    store.write(create(&store, 9)).unwrap();
    let expected = everything(&store).unwrap();
    let killed = folder.file("killed.db");
    fs::copy(&path, &killed).unwrap();
    fs::copy(folder.file("app.db-wal"), folder.file("killed.db-wal")).unwrap();
    drop(store);
    let raw = rusqlite::Connection::open(&killed).unwrap();
    let mode: String = raw
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    drop(raw);
    assert!(!folder.file("killed.db-wal").exists(), "the log was copied");
    let copied = LocalReader::open(&killed).unwrap();
    copied.check_pages().unwrap();
    drop(copied);
    let without_inbox = open_and_read(&killed).unwrap();
    assert_eq!(without_inbox, expected);
    // A change is another thing: its pages bear the checksums of what was there before.
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("DELETE FROM consumed", []).unwrap();
    drop(raw);
    let refused = LocalReader::open(&path).and_then(|store| store.check_pages());
    assert!(
        matches!(refused, Err(StoreError::Damaged { .. })),
        "{refused:?}"
    );
}
