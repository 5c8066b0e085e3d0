//! What the index says of outstanding work besides the state that an activity has now.

use perdure_history::{Event, Record, RecordBody, RunId, Timestamp};
use perdure_store::{IndexChange, Outstanding, OutstandingKind};

use crate::activity::Activity;

/// The attempt of an activity whose failure is among these records, and when the next may begin.
pub(crate) fn recorded_failure(records: &[Record], command_n: u64) -> Option<(u32, Timestamp)> {
    records.iter().find_map(|record| match &record.body {
        RecordBody::Event(Event::ActivityAttemptFailed {
            command_n: failed,
            attempt,
            next_attempt_at,
            ..
        }) if *failed == command_n => Some((*attempt, *next_attempt_at)),
        _ => None,
    })
}

/// An attempt failed, and the activity ended since, which is not durable: after a restart it goes
/// on from the failure.
pub(crate) fn put_failed(
    command_n: u64,
    activity: &Activity,
    attempt: u32,
    again_at: Timestamp,
    origin: RunId,
) -> IndexChange {
    IndexChange::Put(Outstanding {
        command_n,
        kind: OutstandingKind::Activity,
        due_at: again_at,
        state: activity.encode_failed(attempt, again_at, origin),
    })
}

/// The outcome of an activity is in the inbox: after a restart it is not attempted again.
pub(crate) fn put_reported(command_n: u64, activity: &Activity, origin: RunId) -> IndexChange {
    IndexChange::Put(Outstanding {
        command_n,
        kind: OutstandingKind::Activity,
        due_at: Timestamp::NEVER,
        state: activity.encode_reported(origin),
    })
}

/// A timer is open until then.
pub(crate) fn put_timer(command_n: u64, due_at: Timestamp) -> IndexChange {
    IndexChange::Put(Outstanding {
        command_n,
        kind: OutstandingKind::Timer,
        due_at,
        state: bytes::Bytes::new(),
    })
}
