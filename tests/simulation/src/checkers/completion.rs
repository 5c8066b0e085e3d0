//! A command has at most one completion, and only a command of its sort.

use perdure_history::{Command, Event, Record, RecordBody};

use super::broken;
use super::history::History;
use crate::world::Violation;

const LAW: &str = "a command has one completion";

/// The command that a record completes.
pub(super) fn completes(record: &Record) -> Option<u64> {
    match &record.body {
        RecordBody::Event(
            Event::ActivityCompleted { command_n, .. }
            | Event::ActivityFailed { command_n, .. }
            | Event::ActivityCancelled { command_n, .. }
            | Event::TimerFired { command_n },
        ) => Some(*command_n),
        _ => None,
    }
}

/// Whether the record ends a command, and so was checked.
pub(super) fn check(history: &History, index: usize) -> Result<bool, Violation> {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(false);
    };
    let Some(command_n) = completes(record) else {
        return Ok(false);
    };
    let run = history.run;
    if let Some(first) = before
        .iter()
        .find(|other| completes(other) == Some(command_n))
    {
        return broken(
            LAW,
            format!(
                "run {run}: {command_n} ends at {} and {}",
                first.n, record.n
            ),
        );
    }
    let taken_back = before.iter().find(|other| match other.body {
        RecordBody::Command(Command::CancelTimer { command_n: taken }) => taken == command_n,
        _ => false,
    });
    if let Some(taken_back) = taken_back {
        let (fired, taken) = (record.n, taken_back.n);
        return broken(
            LAW,
            format!("run {run}: {command_n} fires at {fired}, taken back at {taken}"),
        );
    }
    let fires = matches!(record.body, RecordBody::Event(Event::TimerFired { .. }));
    let fits = match history.record(command_n).map(|record| &record.body) {
        Some(RecordBody::Command(Command::StartTimer { .. })) => fires,
        Some(RecordBody::Command(Command::ScheduleActivity(_))) => !fires,
        _ => false,
    };
    if fits {
        Ok(true)
    } else {
        broken(LAW, format!("run {run}: {} ends no command", record.n))
    }
}
