//! redb: a copy-on-write B-tree.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use crate::candidate::{Candidate, Turn};

const BATCHES: TableDefinition<(u32, u64), &[u8]> = TableDefinition::new("batches");
const LIVE: TableDefinition<u32, &[u8]> = TableDefinition::new("live");

pub struct Redb(Database);

impl Candidate for Redb {
    const NAME: &'static str = "redb 4.6";

    fn open(path: &Path) -> Self {
        let database = Database::create(path.join("app.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(BATCHES).unwrap();
        transaction.open_table(LIVE).unwrap();
        transaction.commit().unwrap();
        Self(database)
    }

    fn append(&mut self, group: &[Turn]) {
        let transaction = self.0.begin_write().unwrap();
        {
            let mut batches = transaction.open_table(BATCHES).unwrap();
            let mut live = transaction.open_table(LIVE).unwrap();
            for turn in group {
                batches
                    .insert((turn.run, turn.last_n), &turn.batch[..])
                    .unwrap();
                live.insert(turn.run, &turn.outstanding[..]).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    fn read(&self, run: u32) -> Vec<Vec<u8>> {
        let table = self.0.begin_read().unwrap().open_table(BATCHES).unwrap();
        let rows = table.range((run, 0)..=(run, u64::MAX)).unwrap();
        rows.map(|row| row.unwrap().1.value().to_vec()).collect()
    }

    fn recover(&self) -> Vec<(u32, Vec<u8>)> {
        let table = self.0.begin_read().unwrap().open_table(LIVE).unwrap();
        let rows = table.iter().unwrap();
        rows.map(|row| row.unwrap())
            .map(|(run, out)| (run.value(), out.value().to_vec()))
            .collect()
    }
}
