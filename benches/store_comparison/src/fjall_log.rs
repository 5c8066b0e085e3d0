//! fjall: a log-structured merge tree with a journal.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use crate::candidate::{Candidate, Turn};

pub struct Fjall {
    database: Database,
    batches: Keyspace,
    live: Keyspace,
}

impl Candidate for Fjall {
    const NAME: &'static str = "fjall 3.1";

    fn open(path: &Path) -> Self {
        let database = Database::builder(path.join("fjall")).open().unwrap();
        let keyspace = |name: &str| {
            database
                .keyspace(name, KeyspaceCreateOptions::default)
                .unwrap()
        };
        Self {
            batches: keyspace("batches"),
            live: keyspace("live"),
            database,
        }
    }

    fn append(&mut self, group: &[Turn]) {
        let mut batch = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for turn in group {
            let mut key = turn.run.to_be_bytes().to_vec();
            batch.insert(&self.live, key.clone(), turn.outstanding.clone());
            key.extend(turn.last_n.to_be_bytes());
            batch.insert(&self.batches, key, turn.batch.clone());
        }
        batch.commit().unwrap();
    }

    fn read(&self, run: u32) -> Vec<Vec<u8>> {
        let rows = self.batches.prefix(run.to_be_bytes());
        rows.map(|row| row.value().unwrap().to_vec()).collect()
    }

    fn recover(&self) -> Vec<(u32, Vec<u8>)> {
        self.live
            .iter()
            .map(|row| {
                let (key, value) = row.into_inner().unwrap();
                (
                    u32::from_be_bytes(key[..4].try_into().unwrap()),
                    value.to_vec(),
                )
            })
            .collect()
    }
}
