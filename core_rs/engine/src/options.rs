//! A client moves a run to another version of its workers. That is a fact of its history, which
//! workflow code does not see.

use perdure_history::{Event, MessageId, Record, RecordBody, RunId, Timestamp, WorkerVersion};

use crate::activity::{Activity, Stage};
use crate::context::Context;
use crate::effect::{Effect, Reply};
use crate::engine::Engine;
use crate::parking::code;
use crate::pending::{Delivered, Pending};
use crate::run::Run;
use crate::slots::RouteId;

impl Engine {
    /// Records where a run is to go on.
    pub(crate) fn update_options(
        &mut self,
        id: RunId,
        pinned_to: Option<WorkerVersion>,
        about: Delivered,
        now: Timestamp,
    ) {
        let Some(message_id) = about.message_id.clone() else {
            return;
        };
        if !self.runs.contains(id) {
            return self.refuse_closed(id, message_id, about.reply_to);
        }
        let event = Event::OptionsUpdated {
            message_id,
            pinned_to,
        };
        self.with_run(id, |context, run| {
            if run.tail.n == 0 {
                // Its start is not recorded, and comes first in every history.
                return context.refuse_move(run, about);
            }
            run.attempt_failures.push(Pending { event, about });
            if run.is_idle() && run.ahead.is_none() {
                // Without its instance it is moved whether anybody can step it or not.
                context.evict(run);
            }
            context.advance(run, now);
        });
    }

    /// The host serves other versions now, or runs go to another one: what is in line follows.
    pub(crate) fn stand_in_line_again(&mut self, now: Timestamp) {
        for id in self.runs.ids() {
            self.with_run(id, |context, run| {
                if !run.activities.is_empty() && !run.lacks_schedules {
                    context.stand_in_line_again(run, now);
                    context.advance(run, now);
                }
            });
        }
    }

    /// Looks again at the runs that wait for a worker.
    pub(crate) fn try_unserved_again(&mut self, now: Timestamp) {
        for id in self.runs.ids() {
            self.with_run(id, |context, run| {
                let waits = run.parked.as_ref();
                if waits.is_some_and(|parked| parked.reason.code == code::NO_WORKER) {
                    context.try_again(run, now);
                }
            });
        }
    }
}

impl Run {
    /// Takes what its next write records and no turn shows its code. A move that is recorded
    /// already is answered with that write, and not recorded again: the store would refuse it.
    pub(crate) fn take_unshown(&mut self) -> Vec<Pending> {
        let mut taken = std::mem::take(&mut self.attempt_failures);
        let mut is_new = |one: &mut Pending| match &one.event {
            Event::OptionsUpdated { message_id, .. } => self.moves.insert(message_id.clone()),
            _ => true,
        };
        let doubles = taken.extract_if(.., |one| !is_new(one));
        self.doubles.extend(doubles);
        taken
    }

    /// Takes the moves that no write has recorded.
    pub(crate) fn take_moves(&mut self) -> Vec<Delivered> {
        let recorded = &self.moves;
        let is_new = |one: &mut Pending| match &one.event {
            Event::OptionsUpdated { message_id, .. } => !recorded.contains(message_id),
            _ => false,
        };
        let taken = self.attempt_failures.extract_if(.., is_new);
        taken.map(|one| one.about).collect()
    }
}

/// The moves of a run that its history holds.
pub(crate) fn moves_in(records: &[Record]) -> impl Iterator<Item = MessageId> {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::Event(Event::OptionsUpdated { message_id, .. }) => Some(message_id.clone()),
        _ => None,
    })
}

impl Context {
    fn refuse_move(&mut self, run: &Run, about: Delivered) {
        let reason = "the run has not begun: it goes to the current version when it does";
        if let Some(to) = about.reply_to {
            let reason = bytes::Bytes::from_static(reason.as_bytes());
            self.reply(to, Reply::Refused { reason });
        }
        if let Some(message_id) = about.message_id {
            let run = Some(run.id);
            self.effect(Effect::Consumed { run, message_id });
        }
    }

    /// The run was moved, and that is durable: what waits goes to the workers of its version.
    pub(crate) fn go_on_elsewhere(&mut self, run: &mut Run, now: Timestamp) {
        self.evict(run);
        self.stand_in_line_again(run, now);
        if run.parked.is_some() {
            return self.try_again(run, now);
        }
        self.advance(run, now);
    }

    /// Activities that have not left wait where their run's version is served now.
    pub(crate) fn stand_in_line_again(&mut self, run: &mut Run, now: Timestamp) {
        let numbers: Vec<u64> = run.activities.keys().copied().collect();
        for command_n in numbers {
            let Some((stage, before)) = run.activities.get(&command_n).and_then(|one| waits(one))
            else {
                continue;
            };
            self.route_again(run, command_n);
            let route = run.activities.get(&command_n).map(|one| one.route);
            // One that waits in vain in its old line is passed over there.
            if route != Some(before) && stage == Stage::Queued {
                self.make_ready(run, command_n, now);
            }
        }
    }
}

/// The stage and the route of a local activity that is to be handed out yet.
fn waits(activity: &Activity) -> Option<(Stage, RouteId)> {
    let waits = matches!(
        activity.stage,
        Stage::Queued | Stage::Backoff | Stage::NotStarted
    );
    (waits && activity.route.is_local()).then_some((activity.stage, activity.route))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::MessageBody;
    use crate::message_codec::{Kept, decode_message, encode_message};

    #[test]
    fn a_move_that_is_kept_is_read_back() {
        let version = WorkerVersion {
            deployment: "shop".to_owned(),
            build_id: "2".to_owned(),
            pinned: true,
        };
        for pinned_to in [None, Some(version)] {
            let run = RunId([3; 16]);
            let body = MessageBody::UpdateOptions { run, pinned_to };
            let id = MessageId("m1".to_owned());
            let kept = encode_message(&id, &body, Timestamp::from_micros(5)).unwrap();
            assert_eq!(decode_message(&kept), Ok(Kept::Message(body)));
        }
    }
}
