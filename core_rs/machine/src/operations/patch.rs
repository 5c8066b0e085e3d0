//! A patch: which branch of changed code a run takes, settled once.
//!
//! | the code asks for a patch | history, from here on | the branch | records |
//! |---|---|---|---|
//! | live | – | new | the marker |
//! | live, its marker was passed over | – | new | – |
//! | replaying | its marker is next | new | – |
//! | replaying, its marker was passed over | – | new | – |
//! | replaying | its marker stands elsewhere | a mismatch | |
//! | replaying | no marker | old | – |
//!
//! A deprecated marker for which the code does not ask is passed over: who wrote it had the new
//! branch alone. Any other marker must be asked for, else the code has lost its new branch.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use perdure_history::{Command, Record, RecordBody};

/// What of patches only replay needs to know.
#[derive(Debug, Default)]
pub(crate) struct Patches {
    recorded: BTreeSet<Arc<str>>,
    passed: BTreeSet<Arc<str>>,
}

impl Patches {
    /// The patches that a recorded history has a marker of.
    pub(crate) fn of(records: &[Record]) -> Self {
        let marker = |record: &Record| match &record.body {
            RecordBody::Command(Command::RecordPatch { id, .. }) => Some(Arc::clone(id)),
            _ => None,
        };
        Self {
            recorded: records.iter().filter_map(marker).collect(),
            passed: BTreeSet::new(),
        }
    }

    /// Notes that the marker of `id` was passed over.
    pub(crate) fn pass(&mut self, id: Arc<str>) {
        self.passed.insert(id);
    }

    /// Whether the marker of `id` was passed over.
    pub(crate) fn was_passed(&self, id: &str) -> bool {
        self.passed.contains(id)
    }

    /// Whether history has a marker of `id` anywhere.
    pub(crate) fn is_recorded(&self, id: &str) -> bool {
        self.recorded.contains(id)
    }
}
