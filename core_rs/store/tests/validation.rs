//! The validation suite, run against each store of this crate.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use perdure_store::validation::{self, Subject};
use perdure_store::{LocalStore, MemoryStore, Standby};

mod support;

struct Memory;

impl Subject for Memory {
    type Store = MemoryStore;

    fn fresh(&mut self) -> MemoryStore {
        MemoryStore::new()
    }

    fn reopen(&mut self, store: MemoryStore) -> MemoryStore {
        store.reopened()
    }
}

struct Local {
    folder: support::Folder,
    count: usize,
}

impl Local {
    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.count))
    }
}

impl Subject for Local {
    type Store = LocalStore;

    fn fresh(&mut self) -> LocalStore {
        self.count += 1;
        LocalStore::open_owner(&self.path(), Standby::Refuse).unwrap()
    }

    fn reopen(&mut self, store: LocalStore) -> LocalStore {
        drop(store);
        LocalStore::open_owner(&self.path(), Standby::Refuse).unwrap()
    }
}

#[test]
fn the_memory_store_keeps_every_promise() {
    validation::check_all(&mut Memory);
}

#[test]
fn the_local_store_keeps_every_promise() {
    validation::check_all(&mut Local {
        folder: support::Folder::new(),
        count: 0,
    });
}
