//! What is counted of open runs: in stores of this format, and in one that was brought up to it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;

use perdure_history::search::{DEPRECATED_PATCHES, PATCHES};
use perdure_history::{Batch, Command, Record, RecordBody, RunId, SearchValue, Site};
use perdure_store::validation::fixture::{WriteOne, at, close, create, nothing, run};
use perdure_store::{Append, LocalReader, LocalStore, Standby, Store};

mod support;

use support::Folder;

fn marker(n: u64, id: &str, deprecated: bool) -> Record {
    let site = Site {
        file: "shop.py".into(),
        line: 1,
        function: "checkout".into(),
        source_hash: 0,
    };
    let body = RecordBody::Command(Command::RecordPatch {
        id: id.into(),
        site: Arc::new(site),
        deprecated,
    });
    Record { n, at: at(1), body }
}

fn of_history(store: &impl Store, number: u32, records: Vec<Record>) -> Append {
    let run: RunId = run(number);
    let encoded = Batch {
        run,
        first_n: 1,
        prev_hash: [0; 16],
        epoch: 1,
        flags: 0,
        records,
    }
    .encode();
    Append {
        batch: Some(encoded),
        ..create(store, number)
    }
}

fn counted(reader: &LocalReader, name: &str) -> Vec<(String, String, u64)> {
    reader.open_by_value("default", name).unwrap()
}

fn of(patch: &str, count: u64) -> (String, String, u64) {
    ("audit".to_owned(), patch.to_owned(), count)
}

#[test]
fn open_runs_are_counted_by_type_and_by_value_and_closed_ones_are_not() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    for number in 1..=4 {
        let mut opens = create(&store, number);
        let ids = ["a", "b"].into_iter().take(number as usize / 2);
        let value = SearchValue::KeywordList(ids.map(str::to_owned).collect());
        let attribute = (PATCHES.to_owned(), Some(value));
        opens.visibility.search_attributes.push(attribute);
        store.write(opens).unwrap();
    }
    let reader = LocalReader::open(&path).unwrap();
    assert_eq!(counted(&reader, PATCHES), [of("a", 3), of("b", 1)]);
    let ends = close(&store, 4, 2, 9);
    store.write(ends).unwrap();
    assert_eq!(counted(&reader, PATCHES), [of("a", 2)]);
    let types = reader.open_by_type("default").unwrap();
    assert_eq!(types, [("audit".to_owned(), 3)]);
    assert_eq!(reader.open_by_type("other").unwrap(), []);
}

#[test]
fn the_patches_of_an_older_store_are_told_once_it_is_brought_up() {
    let folder = Folder::in_memory();
    let path = folder.file("app.db");
    let mut store = LocalStore::open_owner(&path, Standby::Refuse).unwrap();
    for number in 1..=2 {
        let records = vec![marker(1, "new", false), marker(2, "old", true)];
        let opens = of_history(&store, number, records);
        store.write(opens).unwrap();
    }
    // One that cannot be read counts as a run without markers, and holds up no other.
    let unreadable = create(&store, 3);
    store.write(unreadable).unwrap();
    let ends = Append {
        close: close(&store, 2, 2, 9).close,
        ..nothing(&store, run(2), 2)
    };
    store.write(ends).unwrap();
    drop(store);
    support::make_format_2(&path);
    let reader = LocalReader::open(&path).unwrap();
    assert_eq!(counted(&reader, PATCHES), []);
    drop(reader);
    drop(LocalStore::open_owner(&path, Standby::Refuse).unwrap());
    let reader = LocalReader::open(&path).unwrap();
    assert_eq!(counted(&reader, PATCHES), [of("new", 1)]);
    assert_eq!(counted(&reader, DEPRECATED_PATCHES), [of("old", 1)]);
    reader.check().unwrap();
}
