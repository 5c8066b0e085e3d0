//! Attempts never exceed `maximum_attempts`, follow each other, and none is handed out twice.

use perdure_history::{Event, RecordBody, TaskId};

use super::broken;
use super::history::History;
use crate::world::{Kept, Violation};

const LAW: &str = "attempts never exceed maximum_attempts";

/// Whether the record ends an attempt, and so was checked.
pub(super) fn check(history: &History, index: usize) -> Result<bool, Violation> {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(false);
    };
    let (command_n, attempt, another_follows) = match &record.body {
        RecordBody::Event(Event::ActivityAttemptFailed {
            command_n, attempt, ..
        }) => (*command_n, *attempt, true),
        RecordBody::Event(
            Event::ActivityCompleted {
                command_n, attempt, ..
            }
            | Event::ActivityFailed {
                command_n, attempt, ..
            },
        ) => (*command_n, *attempt, false),
        _ => return Ok(false),
    };
    let run = history.run;
    let limit = history
        .scheduled(command_n)
        .map_or(0, |asked| asked.options.retry_policy.maximum_attempts);
    if limit > 0 && (attempt > limit || (another_follows && attempt == limit)) {
        return broken(
            LAW,
            format!("run {run}: attempt {attempt} of {command_n}, limit {limit}"),
        );
    }
    let failed = before
        .iter()
        .filter(|other| match other.body {
            RecordBody::Event(Event::ActivityAttemptFailed {
                command_n: other, ..
            }) => other == command_n,
            _ => false,
        })
        .count();
    let expected = u32::try_from(failed).unwrap_or(u32::MAX) + 1;
    // An activity may also end before the attempt that was next began.
    let fits = attempt == expected || (!another_follows && attempt + 1 == expected);
    if fits {
        Ok(true)
    } else {
        broken(
            LAW,
            format!("run {run}: attempt {attempt} of {command_n} after {failed} failed"),
        )
    }
}

/// A task is handed out once, and once more each time that no worker began it.
pub(super) fn check_dispatches(task: TaskId, times: u32, refusals: u32) -> Kept {
    if times <= refusals + 1 {
        return Ok(());
    }
    broken(
        LAW,
        format!("{task} left {times} times and was refused {refusals} times"),
    )
}
