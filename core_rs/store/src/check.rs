//! What a write must be in itself, before any store looks at its contents.

use crate::append::{Append, AppendError, RunStatus};

/// Refuses a write that contradicts itself.
pub(crate) fn well_formed(append: &Append) -> Result<(), AppendError> {
    match contradiction(append) {
        Some(reason) => Err(AppendError::Malformed {
            run: append.run,
            reason,
        }),
        None => Ok(()),
    }
}

fn contradiction(append: &Append) -> Option<&'static str> {
    let grows = append.last_n > append.expected_n;
    if append.last_n < append.expected_n {
        return Some("last_n lies before expected_n");
    }
    if grows != append.batch.is_some() {
        return Some("a batch and new records come together");
    }
    // A run that is parked before its first turn (no host knows its type) has no record yet.
    if append.create.is_some() && append.expected_n != 0 {
        return Some("a creating write comes before record 1");
    }
    if append.close.is_some_and(|close| is_open(close.status)) {
        return Some("a closing write needs a closed status");
    }
    if append
        .status
        .as_ref()
        .is_some_and(|change| !is_open(change.status))
    {
        return Some("a status change needs an open status");
    }
    None
}

/// Whether a run of this status goes on.
pub(crate) fn is_open(status: RunStatus) -> bool {
    matches!(
        status,
        RunStatus::Running | RunStatus::Parked | RunStatus::Paused
    )
}

/// Whether a write to a closed run would do more than consume messages.
pub(crate) fn writes_content(append: &Append) -> bool {
    append.batch.is_some()
        || !append.index_changes.is_empty()
        || !append.inbox.is_empty()
        || !append.outbox.is_empty()
        || append.status.is_some()
        || !append.visibility.is_empty()
        || append.close.is_some()
}
