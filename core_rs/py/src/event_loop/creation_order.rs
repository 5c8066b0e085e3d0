//! Which objects of a run are alive, in the order in which they were made.

use std::collections::HashMap;

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyWeakrefMethods;
use pyo3::types::PyWeakrefReference;

/// Fewer entries than this are never swept.
const SWEEP_MINIMUM: usize = 64;

struct Entry {
    number: u64,
    reference: Py<PyWeakrefReference>,
    kept: Option<Py<PyAny>>,
}

/// A weak registry, except for what it is told to keep. An address may be used again, so an entry
/// counts only while its reference leads to the object itself.
pub(crate) struct CreationOrder {
    entries: HashMap<usize, Entry>,
    next_number: u64,
    sweep_at: usize,
}

impl CreationOrder {
    pub(crate) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            next_number: 1,
            sweep_at: SWEEP_MINIMUM,
        }
    }

    /// Enters `object` as the newest and returns what to drop once the cell is closed. What is
    /// kept stays alive until `let_go`, though nobody else holds it.
    pub(crate) fn add(
        &mut self,
        object: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
        keeps: bool,
    ) -> Swept {
        let mut swept = Swept(Vec::new());
        if self.entries.len() >= self.sweep_at {
            let py = object.py();
            let dead: Vec<usize> = self
                .entries
                .iter()
                .filter(|(_, entry)| entry.reference.bind(py).upgrade().is_none())
                .map(|(address, _)| *address)
                .collect();
            swept.0.extend(
                dead.iter()
                    .filter_map(|address| self.entries.remove(address)),
            );
            self.sweep_at = SWEEP_MINIMUM.max(self.entries.len() * 2);
        }
        let number = self.next_number;
        self.next_number += 1;
        let kept = keeps.then(|| object.clone().unbind());
        let entry = Entry {
            number,
            reference,
            kept,
        };
        swept
            .0
            .extend(self.entries.insert(object.as_ptr() as usize, entry));
        swept
    }

    /// Keeps `object` no longer and returns what to drop once the cell is closed.
    pub(crate) fn let_go(&mut self, object: &Bound<'_, PyAny>) -> Option<Py<PyAny>> {
        self.entries
            .get_mut(&(object.as_ptr() as usize))
            .and_then(|entry| entry.kept.take())
    }

    /// Keeps nothing any longer and returns what to drop once the cell is closed.
    pub(crate) fn let_all_go(&mut self) -> Vec<Py<PyAny>> {
        self.entries
            .values_mut()
            .filter_map(|entry| entry.kept.take())
            .collect()
    }

    /// Shows the garbage collector what is kept.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.entries
            .values()
            .filter_map(|entry| entry.kept.as_ref())
            .try_for_each(|kept| visit.call(kept))
    }

    /// The number of `object`, if it was entered here.
    pub(crate) fn number(&self, object: &Bound<'_, PyAny>) -> Option<u64> {
        let entry = self.entries.get(&(object.as_ptr() as usize))?;
        let found = entry.reference.bind(object.py()).upgrade()?;
        found.is(object).then_some(entry.number)
    }

    /// Takes out the entry at an address whose object is being finalized.
    pub(crate) fn remove(&mut self, object: &Bound<'_, PyAny>) -> Option<Swept> {
        self.entries
            .remove(&(object.as_ptr() as usize))
            .map(|entry| Swept(vec![entry]))
    }

    /// Everything alive, oldest first.
    pub(crate) fn alive<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyAny>> {
        let mut alive: Vec<(u64, Bound<'py, PyAny>)> = self
            .entries
            .values()
            .filter_map(|entry| Some((entry.number, entry.reference.bind(py).upgrade()?)))
            .collect();
        alive.sort_by_key(|(number, _)| *number);
        alive.into_iter().map(|(_, object)| object).collect()
    }

    /// Empties the registry.
    pub(crate) fn take(&mut self) -> Swept {
        Swept(self.entries.drain().map(|(_, entry)| entry).collect())
    }

    /// The number that the next entry will have.
    pub(crate) const fn next_number(&self) -> u64 {
        self.next_number
    }
}

/// Entries on their way out: dropped by the caller, outside of any open cell.
pub(crate) struct Swept(Vec<Entry>);
