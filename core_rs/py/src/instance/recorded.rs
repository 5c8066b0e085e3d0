//! A recorded history, lent to an instance with no engine behind it: replay and nothing else.

use bytes::Bytes;
use perdure_engine::Seal;
use perdure_history::{Batch, BatchEncoder, HistoryReader, RunId};
use perdure_machine::Machine;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::InstanceCore;
use crate::errors;
use crate::payload_codec::seal;

/// The batches of one run, encoded.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct RecordedHistory {
    run: RunId,
    batches: Vec<Bytes>,
    seal: Seal,
}

impl RecordedHistory {
    pub(crate) fn new(run: RunId, batches: Vec<Bytes>, seal: Seal) -> Self {
        Self { run, batches, seal }
    }
}

/// An exported history with its payloads decoded, as far as the codec can.
#[pyfunction]
pub(super) fn decode_history(py: Python<'_>, text: &str, codec: Py<PyAny>) -> PyResult<String> {
    let damaged = |error: &dyn std::fmt::Display| errors::damaged(py, error);
    let imported = perdure_history::json::import(text);
    let (run, batches) = imported.map_err(|error| damaged(&error))?;
    let seal = seal(Some(codec));
    let (mut reader, mut encoder) = (HistoryReader::new(run), BatchEncoder::new());
    let mut decoded = Vec::with_capacity(batches.len());
    let mut prev_hash = [0; 16];
    for encoded in &batches {
        let mut batch = reader.read(encoded).map_err(|error| damaged(&error))?;
        seal.open_records(&mut batch.records);
        batch.prev_hash = prev_hash;
        let plain = encoder.encode(&batch);
        prev_hash = Batch::hash(&plain);
        decoded.push(plain);
    }
    perdure_history::json::export(run, &decoded).map_err(|error| damaged(&error))
}

#[pymethods]
impl RecordedHistory {
    /// Reads an exported history; `StoreDamagedError` names the line that is wrong.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> PyResult<Self> {
        let imported = perdure_history::json::import(text);
        let (run, batches) = imported.map_err(|error| errors::damaged(py, &error))?;
        Ok(Self::new(run, batches, Seal::default()))
    }

    /// The run as 32 hexadecimal digits.
    #[getter]
    fn run_id(&self) -> String {
        self.run.to_string()
    }

    /// The turns, encoded.
    #[getter]
    fn batches<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.batches
            .iter()
            .map(|batch| PyBytes::new(py, batch))
            .collect()
    }

    /// The history as it was after so many turns.
    fn prefix(&self, turns: usize) -> Self {
        let batches = self.batches.iter().take(turns).cloned().collect();
        Self::new(self.run, batches, self.seal.clone())
    }

    /// The same run's history from other bytes, to be checked when it is lent.
    fn with_batches(&self, batches: Vec<Vec<u8>>) -> Self {
        let batches = batches.into_iter().map(Bytes::from).collect();
        Self::new(self.run, batches, self.seal.clone())
    }

    /// Reads, checks and decodes every batch and gives the instance a machine that replays them;
    /// gives the number of records. `StoreDamagedError` when they are not this run's history.
    fn lend(&self, py: Python<'_>, instance: &Bound<'_, InstanceCore>) -> PyResult<u64> {
        let damaged = |error: &dyn std::fmt::Display| errors::damaged(py, error);
        let mut reader = HistoryReader::new(self.run);
        let mut records = Vec::new();
        for encoded in &self.batches {
            let _head: Batch = reader
                .read_into(encoded, &mut records)
                .map_err(|error| damaged(&error))?;
        }
        self.seal.open_records(&mut records);
        let machine = Machine::from_history(self.run, reader.flags(), records)
            .map_err(|error| damaged(&error))?;
        let last_n = machine.last_n();
        instance.get().put_machine(py, Box::new(machine));
        Ok(last_n)
    }

    /// Takes the machine back; gives the number of the last record that was delivered.
    fn take_back(&self, py: Python<'_>, instance: &Bound<'_, InstanceCore>) -> u64 {
        let machine = instance.get().take_machine(py);
        machine.map_or(0, |machine| machine.position())
    }
}
