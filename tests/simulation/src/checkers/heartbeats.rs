//! Heartbeat details survive a retry: what an attempt recorded last, the next one is given.

use perdure_engine::Task;
use perdure_history::{Event, Payload, Record, RecordBody};

use super::broken;
use super::history::History;
use crate::world::{Kept, Violation};

const LAW: &str = "heartbeat details survive a retry";

/// The details that a failed attempt of this activity recorded.
fn details(record: &Record, n: u64) -> Option<&Option<Payload>> {
    match &record.body {
        RecordBody::Event(Event::ActivityAttemptFailed {
            command_n,
            heartbeat_details,
            ..
        }) if *command_n == n => Some(heartbeat_details),
        _ => None,
    }
}

/// Whether there were details, and so were checked.
pub(super) fn check_dispatch(task: &Task, history: &History) -> Result<bool, Violation> {
    let mut recorded = history.records.iter().rev();
    let last = recorded.find_map(|record| details(record, task.id.n));
    let Some(Some(last)) = last else {
        return Ok(false);
    };
    if task.heartbeat_details.as_ref() == Some(last) {
        return Ok(true);
    }
    let given = &task.heartbeat_details;
    broken(LAW, format!("{} is given {given:?}, not {last:?}", task.id))
}

/// Once recorded, they are not forgotten by a later attempt that recorded none.
pub(super) fn check(history: &History, index: usize) -> Kept {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(());
    };
    let RecordBody::Event(Event::ActivityAttemptFailed { command_n, .. }) = record.body else {
        return Ok(());
    };
    let has = |record: &Record| details(record, command_n).is_some_and(Option::is_some);
    if before.iter().any(has) && !has(record) {
        let (run, n) = (history.run, record.n);
        return broken(LAW, format!("run {run}: forgotten at record {n}"));
    }
    Ok(())
}
