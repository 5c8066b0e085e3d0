//! What large values cost, and what becomes of their chunks.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use perdure_store::validation::fixture::{
    WriteOne, at as at_second, batch, batch_of, close, create, run, step, value,
};
use perdure_store::{Append, LocalReader, LocalStore, Standby, Store, StoreError};

mod support;

use support::{Folder, chunks_left_behind, raw};

/// Messages of an agent's context, one a step.
const STEPS: u64 = 200;
const MESSAGE_BYTES: usize = 2_048;

fn owner(path: &Path) -> LocalStore {
    LocalStore::open_owner(path, Standby::Refuse).unwrap()
}

fn number(path: &Path, sql: &str) -> i64 {
    raw(path).query_row(sql, [], |row| row.get(0)).unwrap()
}

fn write(store: &mut LocalStore, append: Append, batch: &Bytes) {
    let append = Append {
        batch: Some(batch.clone()),
        ..append
    };
    store.write(append).unwrap();
}

/// A list of messages as its encoding: the length, then each message.
fn list(messages: &[Vec<u8>]) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap().to_be_bytes();
    let mut list = vec![0x91, 0xdc];
    list.extend(length(messages.len()));
    for message in messages {
        list.push(0xda);
        list.extend(length(message.len()));
        list.extend_from_slice(message);
    }
    list
}

#[test]
fn a_growing_list_costs_what_is_added_to_it() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = owner(&path);
    store.write(create(&store, 1)).unwrap();
    let (mut messages, mut passed) = (Vec::new(), 0);
    for n in 2..STEPS + 2 {
        messages.push(value(n << 32, MESSAGE_BYTES));
        let batch = batch_of(&[&messages[messages.len() - 1], &list(&messages)]);
        passed += batch.len();
        let append = step(&store, 1, n, 1);
        write(&mut store, append, &batch);
    }
    let read = store.read(run(1), 1).unwrap();
    let size = LocalReader::open(&path)
        .unwrap()
        .stored_size(run(1))
        .unwrap()
        .unwrap();
    let read: usize = read.iter().map(Bytes::len).sum();
    assert_eq!(size.history_bytes, read as u64);
    // Lists below the threshold lie in their batches.
    assert_eq!(size.large_values, STEPS - 7);
    assert!(size.chunks > 100 && size.chunks < 2 * STEPS, "{size:?}");
    drop(store);
    let added = usize::try_from(STEPS).unwrap() * MESSAGE_BYTES;
    let stored = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    println!("{passed} bytes passed, {added} added, {stored} stored");
    // Each message as a result, in the list, and with what lies around its end.
    assert!(stored < 6 * added && passed > 90 * added);
    assert!(size.stored_bytes < stored as u64);
}

#[test]
fn small_values_lie_in_their_batch() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = owner(&path);
    store.write(create(&store, 1)).unwrap();
    let many = value(1, 1_000);
    let many = batch_of(&[&many[..]; 64]);
    let append = step(&store, 1, 2, 1);
    write(&mut store, append, &many);
    drop(store);
    assert_eq!(number(&path, "SELECT count(*) FROM chunks"), 0);
    let body: Vec<u8> = raw(&path)
        .query_row("SELECT body FROM batches WHERE last_n = 3", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(
        body, many,
        "byte for byte what it was before there were chunks"
    );
}

#[test]
fn a_chunk_goes_with_the_last_run_that_has_it() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = owner(&path);
    let (shared, own) = (value(1, 100_000), value(2, 100_000));
    for (number, values) in (1..).zip([[&shared, &own], [&shared, &shared]]) {
        let append = create(&store, number);
        write(&mut store, append, &batch_of(&[values[0], values[1]]));
        store
            .write(close(&store, number, 2, i64::from(number)))
            .unwrap();
    }
    let stored = |store: &LocalStore| {
        let reader = LocalReader::open(&store.paths().database).unwrap();
        reader.check().unwrap().chunks
    };
    let all = stored(&store);
    assert_eq!(store.retain(at_second(2), 1).unwrap(), 1);
    let left = stored(&store);
    assert!(left > 5 && left < all, "{left} of {all}");
    assert_eq!(
        store.read(run(2), 1).unwrap(),
        [batch_of(&[&shared, &shared]), batch(2, 3)]
    );
    assert_eq!(store.retain(at_second(9), 9).unwrap(), 1);
    assert_eq!(stored(&store), 0);
    drop(store);
    assert_eq!(chunks_left_behind(&path), 0);
}

#[test]
fn a_lost_or_damaged_chunk_is_told_of_by_its_runs_alone_and_never_shared_again() {
    for sql in [
        "DELETE FROM chunks WHERE chunk = 3",
        "UPDATE chunks SET body = x'00' WHERE chunk = 3",
        "UPDATE chunks SET body = (SELECT body FROM chunks WHERE chunk = 4) WHERE chunk = 3",
        "UPDATE chunks SET checksum = checksum + 1 WHERE chunk = 3",
    ] {
        let folder = Folder::in_memory();
        let path = folder.file("app.db");
        let mut store = owner(&path);
        let large = batch_of(&[&value(1, 100_000)]);
        let append = create(&store, 1);
        write(&mut store, append, &large);
        store.write(create(&store, 2)).unwrap();
        drop(store);
        raw(&path).execute_batch(sql).unwrap();
        let reader = LocalReader::open(&path).unwrap();
        let answer = reader.check();
        assert!(matches!(answer, Err(StoreError::Damaged { .. })), "{sql}");
        drop(reader);
        let mut store = owner(&path);
        let told = store.read(run(1), 1).unwrap_err().to_string();
        let place = "in the batch up to record 2, chunk 3 ";
        assert!(
            told.contains(&format!("run {}: {place}", run(1))),
            "{sql}: {told}"
        );
        assert_eq!(store.read(run(2), 1).unwrap(), [batch(2, 2)]);
        // The same value comes again: nothing is built on the damage.
        let append = create(&store, 3);
        write(&mut store, append, &large);
        assert!(store.read(run(3), 1).unwrap() == [&large], "{sql}");
        // And the damage keeps nobody.
        store.write(close(&store, 1, 2, 5)).unwrap();
        assert_eq!(store.retain(at_second(6), 9).unwrap(), 1);
        assert!(store.read(run(3), 1).unwrap() == [&large], "{sql}");
    }
}

#[test]
fn a_flipped_bit_of_a_chunk_is_told_of_with_its_place_wherever_it_lies() {
    let folder = Folder::in_memory();
    let path = folder.file("sound.db");
    let mut store = owner(&path);
    let value = value(1, 100_000);
    let large = batch_of(&[&value]);
    let append = create(&store, 1);
    write(&mut store, append, &large);
    store.write(create(&store, 2)).unwrap();
    drop(store);
    let sound = fs::read(&path).unwrap();
    let (mut in_leaves, mut elsewhere) = (0, 0);
    for offset in (1_000..100_000).step_by(3_100) {
        let needle = &value[offset..offset + 8];
        let Some(at) = sound.windows(8).position(|window| window == needle) else {
            continue; // It lies across two pages.
        };
        match sound[at - at % 4_096] {
            0x0d => in_leaves += 1,
            // A page that goes on with a row begins with the number of the next one.
            0 => elsewhere += 1,
            // What is left of a row in a page that all chunks need by now.
            _ => continue,
        }
        let mut damaged = sound.clone();
        damaged[at] ^= 4;
        let path = folder.file(&format!("{offset}.db"));
        fs::write(&path, damaged).unwrap();
        let mut store = owner(&path);
        let told = store.read(run(1), 1).unwrap_err().to_string();
        let place = format!("run {}: in the batch up to record 2, chunk ", run(1));
        assert!(told.contains(&place), "{offset}: {told}");
        assert_eq!(store.read(run(2), 1).unwrap(), [batch(2, 2)]);
        let append = create(&store, 3);
        write(&mut store, append, &large);
        let mut store = reopened(store, &path);
        assert!(store.read(run(3), 1).unwrap() == [&large], "{offset}");
        store.write(close(&store, 1, 2, 5)).unwrap();
        assert_eq!(store.retain(at_second(6), 9).unwrap(), 1);
        let append = create(&store, 4);
        write(&mut store, append, &large);
        for number in [3, 4] {
            assert!(store.read(run(number), 1).unwrap() == [&large], "{offset}");
        }
    }
    assert!(in_leaves > 0 && elsewhere > 0, "{in_leaves} {elsewhere}");
}

fn reopened(store: LocalStore, path: &Path) -> LocalStore {
    drop(store);
    owner(path)
}

#[test]
fn a_store_without_chunks_opens_and_gets_them() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = owner(&path);
    // As older versions wrote it: whole in its row.
    store.write(create(&store, 1)).unwrap();
    let old = batch_of(&[&value(9, 50_000)]);
    let append = step(&store, 1, 2, 1);
    write(&mut store, append, &batch_of(&[b"small"]));
    drop(store);
    raw(&path)
        .execute_batch("DROP TABLE chunks; DROP TABLE chunk_uses;")
        .unwrap();
    let reader = LocalReader::open(&path).unwrap();
    assert_eq!(reader.read(run(1), 1).unwrap().len(), 2);
    assert_eq!(reader.check().unwrap().chunks, 0);
    drop(reader);
    let mut store = owner(&path);
    let append = step(&store, 1, 3, 1);
    write(&mut store, append, &old);
    assert!(store.read(run(1), 4).unwrap() == [&old]);
}
