//! The durable writes in the engine's terms, by name. One that no seed reaches fails the build.

use perdure_store::{Append, IndexChange, OutstandingKind, RunStatus};

/// Every sort of durable write.
pub const NAMES: [&str; 14] = [
    "start",
    "park_start",
    "turn",
    "schedule_activity",
    "start_timer",
    "end_operation",
    "mark_activity",
    "attempt_failed",
    "deliver_message",
    "keep_message",
    "park",
    "pause",
    "unpark",
    "close",
];

/// Where in a write the machine stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Nothing of it is written.
    Before,
    /// A random part of it, or of what was written before it, reaches the disk.
    Torn,
    /// It is written, and the process ends before the sync.
    AfterWrite,
    /// It is durable, and nobody hears of it.
    AfterSync,
}

/// All ways.
pub const WAYS: [Way; 4] = [Way::Before, Way::Torn, Way::AfterWrite, Way::AfterSync];

/// Which sorts of write an append is.
#[must_use]
pub fn names(append: &Append) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut add = |holds: bool, name: &'static str| {
        if holds {
            names.push(name);
        }
    };
    let records = append.batch.is_some();
    let put = |kind| {
        let is =
            move |change: &IndexChange| matches!(change, IndexChange::Put(put) if put.kind == kind);
        append.index_changes.iter().any(is)
    };
    let removes = append
        .index_changes
        .iter()
        .any(|change| matches!(change, IndexChange::Remove { .. }));
    let status = append.status.as_ref().map(|change| change.status);
    add(append.create.is_some() && records, "start");
    add(append.create.is_some() && !records, "park_start");
    add(append.create.is_none() && records, "turn");
    add(
        records && put(OutstandingKind::Activity),
        "schedule_activity",
    );
    add(records && put(OutstandingKind::Timer), "start_timer");
    add(removes, "end_operation");
    add(!records && put(OutstandingKind::Activity), "mark_activity");
    add(records && holds_backoff(append), "attempt_failed");
    add(
        records && !append.consumed_message_ids.is_empty(),
        "deliver_message",
    );
    add(!append.inbox.is_empty(), "keep_message");
    add(status == Some(RunStatus::Parked), "park");
    add(status == Some(RunStatus::Paused), "pause");
    add(status == Some(RunStatus::Running), "unpark");
    add(append.close.is_some(), "close");
    names
}

/// Whether an activity goes into a backoff: the second byte of its state is 2.
fn holds_backoff(append: &Append) -> bool {
    append.index_changes.iter().any(|change| match change {
        IndexChange::Put(put) => {
            put.kind == OutstandingKind::Activity && put.state.get(1) == Some(&2)
        }
        IndexChange::Remove { .. } => false,
    })
}
