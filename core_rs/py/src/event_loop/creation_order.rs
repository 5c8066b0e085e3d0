//! Which objects of a run are alive, in the order in which they were made.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyWeakrefMethods;
use pyo3::types::PyWeakrefReference;

/// Fewer entries than this are never swept.
const SWEEP_MINIMUM: usize = 64;

struct Entry {
    number: u64,
    reference: Py<PyWeakrefReference>,
}

/// A weak registry. An address may be used again, so an entry counts only while its reference
/// leads to the object itself.
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

    /// Enters `object` as the newest and returns what to drop once the cell is closed.
    pub(crate) fn add(
        &mut self,
        object: &Bound<'_, PyAny>,
        reference: Py<PyWeakrefReference>,
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
        swept.0.extend(
            self.entries
                .insert(object.as_ptr() as usize, Entry { number, reference }),
        );
        swept
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
