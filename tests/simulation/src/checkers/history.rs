//! A history is append-only and checksummed: what was durable once stays, byte for byte.

use bytes::Bytes;
use perdure_history::{Command, HistoryReader, Record, RecordBody, RunId, ScheduleActivity};
use perdure_store::{SimulatedStore, Store};

use super::broken;
use crate::world::{Kept, Violation};

const LAW: &str = "history is append-only and checksummed";

/// The durable history of a run, as it was seen to grow.
#[derive(Debug)]
pub(super) struct History {
    pub(super) run: RunId,
    batches: Vec<Bytes>,
    reader: HistoryReader,
    pub(super) records: Vec<Record>,
    /// The turn of each record.
    turns: Vec<usize>,
}

impl History {
    pub(super) fn new(run: RunId) -> Self {
        Self {
            run,
            batches: Vec::new(),
            reader: HistoryReader::new(run),
            records: Vec::new(),
            turns: Vec::new(),
        }
    }

    pub(super) fn refresh(&mut self, store: &SimulatedStore) -> Kept {
        let found = store
            .durable()
            .read(self.run, 1)
            .map_err(|error| violation(&error))?;
        if !found.starts_with(&self.batches) {
            let (had, has) = (self.batches.len(), found.len());
            return broken(
                LAW,
                format!("run {} had {had} batches and has {has}", self.run),
            );
        }
        for batch in found.into_iter().skip(self.batches.len()) {
            let read = self
                .reader
                .read(&batch)
                .map_err(|error| violation(&error))?;
            self.records.extend(read.records);
            self.turns.resize(self.records.len(), self.batches.len());
            self.batches.push(batch);
        }
        Ok(())
    }

    /// The record with this number.
    pub(super) fn record(&self, n: u64) -> Option<&Record> {
        self.records.get(usize::try_from(n.checked_sub(1)?).ok()?)
    }

    /// What earlier turns than that of the record at `index` recorded.
    pub(super) fn earlier_turns(&self, index: usize) -> &[Record] {
        let turn = self.turns.get(index).copied().unwrap_or_default();
        let end = self.turns.partition_point(|other| *other < turn);
        self.records.get(..end).unwrap_or_default()
    }

    /// The activity call with this number.
    pub(super) fn scheduled(&self, n: u64) -> Option<&ScheduleActivity> {
        match &self.record(n)?.body {
            RecordBody::Command(Command::ScheduleActivity(asked)) => Some(asked),
            _ => None,
        }
    }
}

fn violation(error: &impl std::fmt::Display) -> Violation {
    Violation {
        law: LAW,
        what: error.to_string(),
    }
}
