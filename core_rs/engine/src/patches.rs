//! The patches of open runs, as search attributes in the write that records them: so the report of
//! who still needs a patch reads no history. A run that has ended needs none.

use std::collections::BTreeMap;
use std::sync::Arc;

use perdure_history::search::{DEPRECATED_PATCHES, PATCHES};
use perdure_history::{Command, Record, RecordBody, SearchValue, VisibilityChange};

/// The patches that a run has a marker of, and whether it knows them as deprecated.
#[derive(Debug, Default)]
pub(crate) struct Patches(BTreeMap<Arc<str>, bool>);

impl Patches {
    /// Those of a history.
    pub(crate) fn of_history(records: &[Record]) -> Self {
        let mut patches = Self::default();
        patches.add(records);
        patches
    }

    /// Adds what is among the records; says whether there was anything.
    fn add(&mut self, records: &[Record]) -> bool {
        let mut found = false;
        for record in records {
            if let RecordBody::Command(Command::RecordPatch { id, deprecated, .. }) = &record.body {
                found = true;
                // A run has one marker of a patch.
                self.0.insert(Arc::clone(id), *deprecated);
            }
        }
        found
    }

    /// What a write with these records changes of them.
    pub(crate) fn tell(&mut self, change: &mut VisibilityChange, records: &[Record], closes: bool) {
        let changed = self.add(records);
        if self.0.is_empty() || (!changed && !closes) {
            return;
        }
        for (name, deprecated) in [(PATCHES, false), (DEPRECATED_PATCHES, true)] {
            let of_sort = self.0.iter().filter(|(_, each)| **each == deprecated);
            let ids: Vec<String> = of_sort.map(|(id, _)| id.to_string()).collect();
            let value = (!closes && !ids.is_empty()).then_some(SearchValue::KeywordList(ids));
            change.search_attributes.push((name.to_owned(), value));
        }
    }
}
