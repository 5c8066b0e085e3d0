//! A message is delivered once, however often it is sent, posted or read again.

use perdure_history::{Event, MessageId, Record, RecordBody};

use super::broken;
use super::history::History;
use crate::world::Violation;

const LAW: &str = "a message is delivered once";

/// The message that a record delivers.
pub(super) fn delivers(record: &Record) -> Option<&MessageId> {
    match &record.body {
        RecordBody::Event(
            Event::SignalReceived { message_id, .. }
            | Event::UpdateAccepted { message_id, .. }
            | Event::CancelRequested { message_id, .. },
        ) => Some(message_id),
        _ => None,
    }
}

/// Whether the record is a message, and so was checked.
pub(super) fn check(history: &History, index: usize) -> Result<bool, Violation> {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(false);
    };
    let Some(id) = delivers(record) else {
        return Ok(false);
    };
    if let Some(first) = before.iter().find(|other| delivers(other) == Some(id)) {
        let (run, first, second) = (history.run, first.n, record.n);
        return broken(LAW, format!("run {run}: {} at {first} and {second}", id.0));
    }
    Ok(true)
}
