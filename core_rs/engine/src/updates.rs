//! Updates: who waits for which, and what the history says of those that ended before.
//!
//! An update is a message like a signal, kept and delivered in the same order. Who waits for it is
//! told what the commit holds: accepted, ended or rejected. An id that the run has had already is
//! not delivered again; what became of it stands in the history, which is then read.

use std::collections::BTreeMap;

use bytes::Bytes;
use perdure_history::{
    Command, Event, Failure, MessageId, Payload, Record, RecordBody, RunId, Timestamp,
};
use perdure_machine::effect::Effect as MachineEffect;
use perdure_store::StoreError;
use rustc_hash::FxHashMap;

use crate::closing;
use crate::commit::Commit;
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::input::UpdateStage;
use crate::payload_codec::Seal;
use crate::pending::{Delivered, Pending};
use crate::run::{Phase, Run};
use crate::starts::Rival;

/// Who waits for an update, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiter {
    to: ReplyTo,
    stage: UpdateStage,
}

/// Who waits for the updates of all runs.
#[derive(Debug, Default)]
pub(crate) struct Updates(FxHashMap<RunId, BTreeMap<MessageId, Vec<Waiter>>>);

impl Updates {
    fn wait(&mut self, run: RunId, message_id: MessageId, to: Option<ReplyTo>, stage: UpdateStage) {
        if let Some(to) = to {
            let waiters = self.0.entry(run).or_default();
            let waiter = Waiter { to, stage };
            waiters.entry(message_id).or_default().push(waiter);
        }
    }

    /// Takes those who wait for one update, for this stage or for any.
    fn take(&mut self, run: RunId, id: &MessageId, only: Option<UpdateStage>) -> Vec<ReplyTo> {
        let Some(of_run) = self.0.get_mut(&run) else {
            return Vec::new();
        };
        let mut taken = Vec::new();
        if let Some(waiters) = of_run.get_mut(id) {
            waiters.retain(|waiter| {
                let stays = only.is_some_and(|stage| stage != waiter.stage);
                if !stays {
                    taken.push(waiter.to);
                }
                stays
            });
            if waiters.is_empty() {
                of_run.remove(id);
            }
        }
        if of_run.is_empty() {
            self.0.remove(&run);
        }
        taken
    }

    /// Takes everybody who waits for an update of a run.
    pub(crate) fn take_all(&mut self, run: RunId) -> Vec<ReplyTo> {
        let of_run = self.0.remove(&run).unwrap_or_default();
        of_run
            .into_values()
            .flatten()
            .map(|waiter| waiter.to)
            .collect()
    }

    fn ids(&self, run: RunId) -> Vec<MessageId> {
        let of_run = self.0.get(&run);
        of_run.map_or_else(Vec::new, |of_run| of_run.keys().cloned().collect())
    }
}

/// An update as it came.
#[derive(Debug)]
pub(crate) struct NewUpdate {
    pub(crate) run: RunId,
    pub(crate) name: String,
    pub(crate) arguments: Payload,
    pub(crate) stage: UpdateStage,
    /// The start that brought it to an open run.
    pub(crate) carrier: Option<Box<Rival>>,
}

impl Engine {
    /// Puts an update in line for the run's next turn, unless it waits there already.
    pub(crate) fn update(
        &mut self,
        message_id: MessageId,
        update: NewUpdate,
        reply_to: Option<ReplyTo>,
        received_at: Timestamp,
        now: Timestamp,
    ) {
        let NewUpdate {
            run,
            name,
            arguments,
            stage,
            carrier,
        } = update;
        let waits = &mut self.context.updates;
        waits.wait(run, message_id.clone(), reply_to, stage);
        let id = message_id.clone();
        let found = self.with_run(run, |context, run| {
            let waits = run.pending.iter().any(|one| is_update(one, &id));
            // The double that a start brought is its answer.
            if !waits || carrier.is_some() {
                let event = Event::UpdateAccepted {
                    message_id: id.clone(),
                    name,
                    arguments,
                };
                let about = Delivered {
                    received_at,
                    message_id: Some(id),
                    carrier,
                    ..Delivered::default()
                };
                run.pending.push_back(Pending { event, about });
                context.advance(run, now);
            }
            context.answer_parked(run);
        });
        if found.is_none() {
            self.context.find_update(run, message_id.clone());
            let run = Some(run);
            self.context.effect(Effect::Consumed { run, message_id });
        }
    }

    /// Waits for the result of an update that was sent before.
    pub(crate) fn await_update(&mut self, run: RunId, update: MessageId, to: Option<ReplyTo>) {
        let stage = UpdateStage::Completed;
        self.context.updates.wait(run, update.clone(), to, stage);
        self.context.find_update(run, update);
    }

    /// The history of a run has been read for what became of an update.
    pub(crate) fn update_found(
        &mut self,
        run: RunId,
        message_id: &MessageId,
        outcome: Result<Vec<Bytes>, StoreError>,
    ) {
        let Some(waits) = self.runs.get(run).map(|run| holds_update(run, message_id)) else {
            return self.context.answer_closed(run, message_id, outcome);
        };
        let context = &mut self.context;
        match recorded_update(run, message_id, &context.options.seal, outcome) {
            Err(reply) => context.tell(run, message_id, None, &reply),
            Ok((Recorded::Ended(outcome), _)) => {
                let reply = Reply::UpdateEnded { run, outcome };
                context.tell(run, message_id, None, &reply);
            }
            Ok((Recorded::Accepted, _)) => {
                let stage = Some(UpdateStage::Accepted);
                context.tell(run, message_id, stage, &Reply::Accepted);
            }
            Ok((Recorded::Never, _)) if !waits => {
                context.tell(run, message_id, None, &Reply::UpdateNotFound { run });
            }
            Ok((Recorded::Never, _)) => {}
        }
        self.with_run(run, |context, run| context.answer_parked(run));
    }
}

impl Context {
    /// Asks the history what became of an update.
    pub(crate) fn find_update(&mut self, run: RunId, message_id: MessageId) {
        self.effect(Effect::FindUpdate { run, message_id });
    }

    /// The run is closed: who still waits is told what its history says.
    pub(crate) fn find_updates(&mut self, run: RunId) {
        for message_id in self.updates.ids(run) {
            self.find_update(run, message_id);
        }
    }

    /// A turn with updates is durable: who waits for them is told.
    pub(crate) fn answer_updates(&mut self, run: RunId, effects: Vec<MachineEffect>) {
        for effect in effects {
            match effect {
                MachineEffect::UpdateAccepted { message_id } => {
                    let stage = Some(UpdateStage::Accepted);
                    self.tell(run, &message_id, stage, &Reply::Accepted);
                }
                MachineEffect::UpdateEnded {
                    message_id,
                    outcome,
                } => {
                    let outcome = *outcome;
                    let reply = Reply::UpdateEnded { run, outcome };
                    self.tell(run, &message_id, None, &reply);
                }
                MachineEffect::UpdateRejected {
                    message_id,
                    failure,
                } => {
                    let failure = *failure;
                    let reply = Reply::UpdateRejected { run, failure };
                    self.tell(run, &message_id, None, &reply);
                    let run = Some(run);
                    self.effect(Effect::Consumed { run, message_id });
                }
                _ => {}
            }
        }
    }

    fn tell(&mut self, run: RunId, id: &MessageId, only: Option<UpdateStage>, reply: &Reply) {
        for to in self.updates.take(run, id, only) {
            self.reply(to, reply.clone());
        }
    }

    fn answer_closed(
        &mut self,
        run: RunId,
        id: &MessageId,
        outcome: Result<Vec<Bytes>, StoreError>,
    ) {
        let (recorded, closed) = match recorded_update(run, id, &self.options.seal, outcome) {
            Ok(found) => found,
            Err(reply) => return self.tell(run, id, None, &reply),
        };
        match recorded {
            Recorded::Ended(outcome) => {
                return self.tell(run, id, None, &Reply::UpdateEnded { run, outcome });
            }
            Recorded::Accepted => {
                let stage = Some(UpdateStage::Accepted);
                self.tell(run, id, stage, &Reply::Accepted);
            }
            Recorded::Never => {}
        }
        let reply = match closed {
            Some(closed) => Reply::Closed {
                run,
                status: closed.status,
            },
            None => Reply::NotFound { run },
        };
        self.tell(run, id, None, &reply);
    }
}

impl Commit {
    /// Whether the turn rejected an update.
    pub(crate) fn rejects(&self) -> bool {
        let rejected = |effect| matches!(effect, &MachineEffect::UpdateRejected { .. });
        self.updates.iter().any(rejected)
    }

    /// Keeps what a turn says of updates until it is durable. One that was rejected leaves no
    /// trace: its id may come again.
    pub(crate) fn keep_updates(&mut self, run: &mut Run, effects: Vec<MachineEffect>) {
        for effect in &effects {
            if let MachineEffect::UpdateRejected { message_id, .. } = effect {
                run.seen.remove(message_id);
                for about in &mut self.delivered {
                    if about.message_id.as_ref() == Some(message_id) {
                        about.message_id = None;
                    }
                }
            }
        }
        let of_updates = |effect: &MachineEffect| {
            matches!(
                effect,
                MachineEffect::UpdateAccepted { .. }
                    | MachineEffect::UpdateRejected { .. }
                    | MachineEffect::UpdateEnded { .. }
            )
        };
        self.updates = effects.into_iter().filter(of_updates).collect();
    }
}

/// What a history says of an update.
enum Recorded {
    Never,
    Accepted,
    Ended(Result<Payload, Failure>),
}

fn recorded_update(
    run: RunId,
    id: &MessageId,
    seal: &Seal,
    outcome: Result<Vec<Bytes>, StoreError>,
) -> Result<(Recorded, Option<closing::Closed>), Box<Reply>> {
    let damaged = |reason: String| Box::new(Reply::Damaged { run, reason });
    let batches = outcome.map_err(|error| match error {
        StoreError::Damaged { .. } => damaged(error.to_string()),
        other => Box::new(Reply::Refused {
            reason: Bytes::from(other.to_string()),
        }),
    })?;
    let mut records = perdure_history::decode_history(run, &batches)
        .map_err(|error| damaged(error.to_string()))?;
    seal.open_records(&mut records);
    Ok((recorded_in(&records, id), closing::last_closing(&records)))
}

fn recorded_in(records: &[Record], id: &MessageId) -> Recorded {
    let accepts = |record: &&Record| {
        matches!(&record.body,
        RecordBody::Event(Event::UpdateAccepted { message_id, .. }) if message_id == id)
    };
    let Some(accepted) = records.iter().find(accepts) else {
        return Recorded::Never;
    };
    let ends = |record: &Record| match &record.body {
        RecordBody::Command(Command::CompleteUpdate { event_n, result })
            if *event_n == accepted.n =>
        {
            Some(Ok(result.clone()))
        }
        RecordBody::Command(Command::FailUpdate { event_n, failure }) if *event_n == accepted.n => {
            Some(Err(failure.clone()))
        }
        _ => None,
    };
    records
        .iter()
        .find_map(ends)
        .map_or(Recorded::Accepted, Recorded::Ended)
}

fn is_update(pending: &Pending, id: &MessageId) -> bool {
    matches!(&pending.event, Event::UpdateAccepted { message_id, .. } if message_id == id)
}

/// Whether an update is on its way into the history of an open run.
fn holds_update(run: &Run, id: &MessageId) -> bool {
    let is_it = |about: &Delivered| about.message_id.as_ref() == Some(id);
    let in_turn = match &run.phase {
        Phase::Stepping(delivered) => delivered.iter().any(is_it),
        Phase::Committing(commit) => commit.delivered.iter().any(is_it),
        // An open turn has delivered no message.
        Phase::Idle | Phase::Ahead | Phase::Loading | Phase::Gone => false,
    };
    in_turn || run.pending.iter().any(|pending| is_update(pending, id))
}
