//! Replay ≡ live: a fresh instance that replays the durable history knows what the live one knows,
//! and each recorded result is the one that the workflow saw.

use perdure_history::{Event, Record, RecordBody, RunId};
use perdure_machine::Machine;

use super::broken;
use super::history::History;
use crate::instance::{Instance, payload_digest};
use crate::world::Kept;

const LAW: &str = "replay is equal to live";

pub(super) fn check(
    run: RunId,
    history: &History,
    live: Option<&Instance>,
    mut fresh: Instance,
) -> Kept {
    let records = history.records.clone();
    // A run that was closed before its first turn: its start was recorded, and never delivered.
    let closes = |record: &Record| {
        matches!(
            record.body,
            RecordBody::Event(Event::RunTerminated { .. } | Event::RunTimedOut)
        )
    };
    if records.get(1).is_some_and(closes) {
        return Ok(());
    }
    let mut machine = match Machine::from_history(run, 0, records) {
        Ok(machine) => machine,
        Err(error) => return broken(LAW, format!("run {run}: {error}")),
    };
    if let Err(stop) = fresh.step(&mut machine, u32::MAX) {
        return broken(LAW, format!("run {run}: {stop:?}"));
    }
    if let Some(live) = live
        && live.state() != fresh.state()
    {
        return broken(LAW, format!("run {run}: live {live:?}, replayed {fresh:?}"));
    }
    for record in &history.records {
        if let RecordBody::Event(Event::ActivityCompleted {
            command_n, result, ..
        }) = &record.body
            && fresh.outcomes.get(command_n) != Some(&payload_digest(result))
        {
            let law = "the recorded result is the one the workflow saw";
            return broken(
                law,
                format!("run {run}: {command_n} at record {}", record.n),
            );
        }
    }
    Ok(())
}
