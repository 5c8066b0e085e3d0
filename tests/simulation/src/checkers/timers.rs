//! No timer fires early, and a run's time does not go back.

use perdure_history::{Command, Event, RecordBody};

use super::broken;
use super::history::History;
use crate::world::Violation;

const LAW: &str = "no timer is early";

/// Whether the record is a timer, and so was checked.
pub(super) fn check(history: &History, index: usize) -> Result<bool, Violation> {
    let Some((record, before)) = history.records.get(..=index).and_then(<[_]>::split_last) else {
        return Ok(false);
    };
    if before.last().is_some_and(|last| last.at > record.at) {
        let (run, n) = (history.run, record.n);
        return broken(
            "a run's time does not go back",
            format!("run {run} at record {n}"),
        );
    }
    let RecordBody::Event(Event::TimerFired { command_n }) = record.body else {
        return Ok(false);
    };
    match history.record(command_n).map(|record| &record.body) {
        Some(RecordBody::Command(Command::StartTimer { fire_at, .. })) if *fire_at > record.at => {
            broken(
                LAW,
                format!(
                    "run {}: timer {command_n} fires at {}",
                    history.run, record.n
                ),
            )
        }
        _ => Ok(true),
    }
}
