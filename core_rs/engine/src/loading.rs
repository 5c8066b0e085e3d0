//! Histories on their way in: read on the first event for a run, and after a restart when its
//! outstanding activities need their arguments.

use std::sync::Arc;

use bytes::Bytes;
use perdure_history::{
    Batch, BatchError, Command, Event, HistoryReader, Record, RecordBody, RunId, RunStarted,
    Timestamp, reset,
};
use perdure_machine::Machine;
use perdure_store::StoreError;

use crate::asks;
use crate::closing::{self, Closed};
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::input::ParkReason;
use crate::options;
use crate::parking::code;
use crate::patches::Patches;
use crate::payload_codec::Seal;
use crate::run::{Identity, Phase, Run};
use crate::versions::Versions;

/// In a load effect: only the last record is wanted, whatever its number.
pub const LAST_RECORD: u64 = u64::MAX;

impl Context {
    /// Reads a run's history; what follows depends on what waits when it has arrived.
    pub(crate) fn read(&mut self, run: &mut Run) {
        run.phase = Phase::Loading;
        self.effect(Effect::Load {
            run: run.id,
            from_n: 1,
        });
    }

    /// A history has arrived. An unreadable one parks its run, and no other.
    pub(crate) fn loaded(
        &mut self,
        run: &mut Run,
        outcome: Result<Vec<Bytes>, StoreError>,
        now: Timestamp,
    ) {
        if matches!(run.phase, Phase::Committing(_)) {
            return self.append_checked(run, outcome, now);
        }
        if !matches!(run.phase, Phase::Loading) {
            return;
        }
        run.phase = Phase::Idle;
        if let Err(message) = take_history(run, &self.options.seal, outcome) {
            run.unreadable = true;
            let reason = ParkReason {
                code: code::UNREADABLE_HISTORY.to_owned(),
                message,
                ..ParkReason::default()
            };
            self.park(run, reason, now);
        } else if std::mem::take(&mut run.lacks_schedules) {
            // An outcome that is durable comes before the verdict that its worker is lost.
            self.hear_deferred(run, now);
            self.resume_activities(run, now);
        }
        self.hear_deferred(run, now);
        for report in std::mem::take(&mut run.deferred) {
            self.apply_report(run, report, now);
        }
        self.advance(run, now);
    }

    /// Answers those who asked for a run that is not open; gives them back when more must be read.
    pub(crate) fn looked_up(
        &mut self,
        run: RunId,
        from_n: u64,
        asked: Vec<Lookup>,
        outcome: Result<Vec<Bytes>, StoreError>,
    ) -> Vec<Lookup> {
        let closed = match closed_in(run, from_n, &self.options.seal, outcome) {
            Ok(closed) => closed,
            Err(NotReadable::Alone) => {
                self.load(run, 1);
                return asked;
            }
            Err(NotReadable::Damaged(reason)) => {
                for Lookup { to, .. } in asked {
                    let reason = reason.clone();
                    self.reply(to, Reply::Damaged { run, reason });
                }
                return Vec::new();
            }
            Err(NotReadable::Now(reason)) => {
                for Lookup { to, .. } in asked {
                    let reason = reason.clone();
                    self.reply(to, Reply::Refused { reason });
                }
                return Vec::new();
            }
        };
        for Lookup { to, wants_result } in asked {
            let reply = match &closed {
                Some(closed) if wants_result => Reply::Result {
                    run,
                    status: closed.status,
                    outcome: closed.outcome.clone(),
                    next_run: closed.next_run(),
                },
                Some(closed) => Reply::Closed {
                    run,
                    status: closed.status,
                },
                None => Reply::NotFound { run },
            };
            self.reply(to, reply);
        }
        Vec::new()
    }
}

/// Why what was read of a run does not say how it ended.
enum NotReadable {
    /// The last batch needs the ones before it.
    Alone,
    Damaged(String),
    /// The store cannot be read at the moment.
    Now(Bytes),
}

fn closed_in(
    run: RunId,
    from_n: u64,
    seal: &Seal,
    outcome: Result<Vec<Bytes>, StoreError>,
) -> Result<Option<Closed>, NotReadable> {
    let damaged = |error: &dyn std::fmt::Display| NotReadable::Damaged(error.to_string());
    let batches = outcome.map_err(|error| match error {
        StoreError::Damaged { .. } => damaged(&error),
        other => NotReadable::Now(Bytes::from(other.to_string())),
    })?;
    let Some(last) = batches.last() else {
        return Ok(None);
    };
    let mut records = if from_n == LAST_RECORD {
        match Batch::decode(last) {
            Ok(batch) => batch.records,
            Err(BatchError::UnknownSite { .. }) => return Err(NotReadable::Alone),
            Err(error) => return Err(damaged(&error)),
        }
    } else {
        perdure_history::decode_history(run, &batches).map_err(|error| damaged(&error))?
    };
    seal.open_records(&mut records);
    Ok(closing::last_closing(&records))
}

/// A client's question about a run that is not open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    pub(crate) to: ReplyTo,
    pub(crate) wants_result: bool,
}

/// Fills a run with what its history says; makes a machine if a turn waits.
fn take_history(
    run: &mut Run,
    seal: &Seal,
    outcome: Result<Vec<Bytes>, StoreError>,
) -> Result<(), String> {
    let batches = outcome.map_err(|error| error.to_string())?;
    if run.unreadable || run.tail.hash.is_none() {
        run.tail.hash = batches.last().map(|last| Batch::hash(last));
    }
    let mut reader = HistoryReader::new(run.id);
    let mut records = Vec::new();
    for batch in &batches {
        let mut batch = reader.read(batch).map_err(|error| error.to_string())?;
        records.append(&mut batch.records);
    }
    seal.open_records(&mut records);
    let Some(last) = records.last().filter(|last| last.n == run.tail.n) else {
        let found = reader.last_n();
        return Err(format!(
            "the history ends at record {found}, but {} were written: restore the store from a \
             backup",
            run.tail.n
        ));
    };
    run.tail.at = last.at;
    run.tail.hash = Some(reader.last_hash());
    take_start(run, &records);
    run.children = asks::open_children(&records);
    run.patches = Patches::of_history(&records);
    run.moves = options::moves_in(&records).collect();
    if run.lacks_schedules {
        fill_schedules(run, &records);
    }
    if run.wants_turn() {
        run.versions = Versions::of_history(&records).map(Box::new);
        run.seen = records.iter().filter_map(message_id).collect();
        let flags = reader.flags();
        let machine = Machine::from_history(run.id, flags, records);
        run.machine = Some(Box::new(machine.map_err(|error| error.to_string())?));
        run.encoder = Some(reader.into_encoder());
    }
    Ok(())
}

/// What the start says of a run, or the reset that made it.
fn take_start(run: &mut Run, records: &[Record]) {
    let Some(RecordBody::Event(Event::RunStarted(started))) =
        records.first().map(|record| &record.body)
    else {
        return;
    };
    if reset::resets(records).next().is_none() {
        run.parent = started.parent.clone().map(Box::new);
        return;
    }
    let Some(started) = RunStarted::of_history(records) else {
        return;
    };
    run.parent = started.parent.map(Box::new);
    // After a restart it is known of runs alone that have an activity outstanding.
    run.identity = Arc::new(Identity {
        origin: started.origin,
        ..Identity::clone(&run.identity)
    });
}

pub(crate) fn message_id(record: &Record) -> Option<perdure_history::MessageId> {
    match &record.body {
        RecordBody::Event(
            Event::SignalReceived { message_id, .. }
            | Event::UpdateAccepted { message_id, .. }
            | Event::CancelRequested { message_id, .. },
        ) => Some(message_id.clone()),
        _ => None,
    }
}

/// Gives outstanding activities what the index does not keep.
fn fill_schedules(run: &mut Run, records: &[Record]) {
    for record in records {
        match &record.body {
            RecordBody::Command(Command::ScheduleActivity(asked)) => {
                if let Some(activity) = run.activities.get_mut(&record.n) {
                    activity.schedule = Some(Arc::clone(asked));
                }
            }
            RecordBody::Event(Event::ActivityAttemptFailed {
                command_n,
                failure,
                heartbeat_details,
                ..
            }) => {
                if let Some(activity) = run.activities.get_mut(command_n) {
                    activity.last_failure = Some(Box::new(failure.clone()));
                    if activity.heartbeat_details.is_none() {
                        activity.heartbeat_details.clone_from(heartbeat_details);
                    }
                }
            }
            _ => {}
        }
    }
}
