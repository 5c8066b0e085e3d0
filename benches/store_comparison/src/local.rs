//! Our store as it is: SQLite, with fences, checksums and visibility.

use std::path::Path;

use perdure_store::validation::fixture::{at, create, run, step};
use perdure_store::{
    Append, IndexChange, LocalStore, Outstanding, OutstandingKind, Standby, Store,
};

use crate::candidate::{Candidate, Turn};

pub struct Local(LocalStore);

impl Candidate for Local {
    const NAME: &'static str = "SQLite (the store)";

    fn open(path: &Path) -> Self {
        Self(LocalStore::open_owner(&path.join("app.db"), Standby::Refuse).unwrap())
    }

    fn append(&mut self, group: &[Turn]) {
        let group: Vec<Append> = group.iter().map(|turn| self.entry(turn)).collect();
        for result in self.0.append(&group).unwrap() {
            result.unwrap();
        }
    }

    fn read(&self, number: u32) -> Vec<Vec<u8>> {
        self.0
            .read(run(number), 1)
            .unwrap()
            .iter()
            .map(|batch| batch.to_vec())
            .collect()
    }

    fn recover(&self) -> Vec<(u32, Vec<u8>)> {
        let number = |id: &[u8; 16]| u32::from_be_bytes(id[..4].try_into().unwrap());
        let runs = self.0.recover().unwrap().runs;
        runs.iter()
            .map(|(summary, outstanding)| (number(&summary.run.0), outstanding[0].state.to_vec()))
            .collect()
    }
}

impl Local {
    fn entry(&self, turn: &Turn) -> Append {
        let before = turn.last_n - 2;
        let mut append = match before {
            0 => create(&self.0, turn.run),
            _ => step(&self.0, turn.run, before, 2),
        };
        append.batch = Some(turn.batch.clone().into());
        append
            .index_changes
            .push(IndexChange::Remove { command_n: before });
        append.index_changes.push(IndexChange::Put(Outstanding {
            command_n: turn.last_n,
            kind: OutstandingKind::Timer,
            due_at: at(60),
            state: turn.outstanding.clone().into(),
        }));
        append
    }
}
