//! The life of a turn, top to bottom: what waits for an idle run → its machine → `Step` → the
//! host's report → one write ([`crate::commit`]) → its effects, and then whatever waited meanwhile.

use std::sync::Arc;

use perdure_history::{Command, Event, Record, RecordBody, ScheduleActivity, Timestamp};
use perdure_machine::{Machine, effect::Effect as MachineEffect};

use crate::commit::Written;
use crate::context::Context;
use crate::effect::Effect;
use crate::hosted::Offer;
use crate::input::{ParkReason, Turn, TurnOutcome, TurnReport};
use crate::parking::{code, unstorable};
use crate::pending::{self, Delivered, TurnEvents};
use crate::run::{Phase, Run};

impl Context {
    /// Begins whatever an idle run has to do next; does nothing while something is under way.
    pub(crate) fn advance(&mut self, run: &mut Run, now: Timestamp) {
        if matches!(run.phase, Phase::Ahead) {
            return self.go_on_ahead(run, now);
        }
        if !run.is_idle() {
            return;
        }
        self.refuse_queries(run);
        if run.closing.is_some() {
            return self.close_in_order(run, now);
        }
        if !run.resets.is_empty() && run.create.is_none() {
            return self.read_for_reset(run);
        }
        if run.lacks_schedules && !run.unreadable {
            return self.read(run);
        }
        if !run.pause_words.is_empty() {
            return self.write(run, Written::default(), now);
        }
        if run.wants_turn() {
            match self.offer_for(run) {
                Ok(offer) => return self.begin_turn(run, &offer, now),
                // Before the host has said what it has, what is stored can wait; a start cannot.
                Err(reason) if self.hosted.is_some() || run.create.is_some() => {
                    self.evict(run);
                    self.park(run, reason, now);
                }
                Err(_) => {}
            }
        }
        self.answer_queries(run);
        if run.paused.is_some() && !run.attempt_failures.is_empty() {
            // No turn of a live run records them while it is paused.
            self.evict(run);
        }
        self.write_aside(run, now);
    }

    /// Closes a run from outside. What was received before its run timeout passed is delivered
    /// first, however late that is, and may end the run otherwise; but only a host that has the
    /// type can deliver it, so without one the engine closes the run alone.
    fn close_in_order(&mut self, run: &mut Run, now: Timestamp) {
        if !run.is_held() && pending::precedes_deadline(run) {
            if let Ok(offer) = self.offer_for(run) {
                return self.begin_turn(run, &offer, now);
            }
            if self.hosted.is_none() {
                // What the host has is not known yet: it says so first of all.
                return;
            }
        }
        self.close_without_code(run, now);
    }

    /// Takes what waits and hands it to the host, with the machine.
    pub(crate) fn begin_turn(&mut self, run: &mut Run, offer: &Offer, now: Timestamp) {
        let version = offer.name();
        if run.hosted && run.live_on != version {
            // What is live is of another version: this one's code begins anew from the history.
            self.evict(run);
        }
        let replays = run.wants_replay();
        let machine = match run.machine.take() {
            Some(machine) => Some(machine),
            None if run.tail.n == 0 => Some(Box::new(Machine::new(
                run.id,
                perdure_machine::flags::CURRENT,
            ))),
            None => None,
        };
        let Some(mut machine) = machine else {
            return self.read(run);
        };
        let mut turn = match run.paused {
            Some(_) => TurnEvents::default(),
            None => pending::take_turn_events(run, self.options.maximum_turn_events),
        };
        let tries = run.parked.as_ref().is_some_and(|parked| parked.trying);
        if turn.events.is_empty() && !tries && !replays {
            run.machine = Some(machine);
            return self.write_aside(run, now);
        }
        run.stepped_as = Self::deployment_of(run, offer).map(Box::new);
        self.tell_version(run, &mut turn, offer);
        if self.options.seal.is_set() {
            turn.keep_copies();
        }
        for event in turn.events {
            machine.handle_event(event);
        }
        machine.begin_turn(now.max(run.tail.at));
        run.phase = Phase::Stepping(turn.about);
        let replay = !run.hosted;
        if replay {
            run.hosted = true;
            run.live_on.clone_from(&version);
            self.recently_used.enter();
        }
        self.effect(Effect::Step(Turn {
            run: run.id,
            machine,
            replay,
            version,
        }));
    }

    /// The host stepped the run: what it recorded is written, and with it all that this changes.
    pub(crate) fn turn_reported(&mut self, run: &mut Run, report: TurnReport, now: Timestamp) {
        let Phase::Stepping(delivered) = &mut run.phase else {
            return;
        };
        let delivered = std::mem::take(delivered);
        run.phase = Phase::Idle;
        let mut machine = report.machine;
        let reason = match report.outcome {
            TurnOutcome::Idle => {
                let mut turn = machine.take_turn();
                self.retry_run(&machine, &mut turn);
                let stored = match self.options.seal.stored(&turn.records) {
                    Ok(stored) => stored,
                    Err(why) => return self.park_unstorable(run, delivered, &why, now),
                };
                run.machine = Some(machine);
                if let Some(parked) = run.parked.take() {
                    run.unparked = parked.written;
                }
                self.begin_waiting_locally(run, now);
                let mut written = Written::of_turn(turn, delivered);
                written.stored = stored;
                return self.write_or_run_ahead(run, written, now);
            }
            TurnOutcome::Parked(reason) => reason,
            TurnOutcome::Mismatch(error) => ParkReason {
                code: code::MISMATCH.to_owned(),
                message: format!("{error}{}", self.version_note(run)),
                ..ParkReason::default()
            },
        };
        let (mut written, undelivered, about) = cut(&mut machine, delivered);
        written.stored = match self.options.seal.stored(&written.records) {
            Ok(stored) => stored,
            Err(why) => {
                written.delivered.extend(about);
                return self.park_unstorable(run, written.delivered, &why, now);
            }
        };
        pending::put_back(run, undelivered, about);
        self.park(run, reason, now);
        let mut before = self.end_ahead(run);
        before.extend(written);
        self.write(run, before, now);
    }

    /// The codec refuses what a turn recorded: nothing of it is written, all that it delivered
    /// comes back, and the run is parked.
    fn park_unstorable(
        &mut self,
        run: &mut Run,
        delivered: Vec<Delivered>,
        why: &str,
        now: Timestamp,
    ) {
        let copies = delivered.into_iter();
        let (events, about) = copies
            .filter_map(|mut about| Some((*about.event.take()?, about)))
            .unzip();
        pending::put_back(run, events, about);
        let before = self.end_ahead(run);
        self.evict(run);
        self.park(run, unstorable(why), now);
        self.write(run, before, now);
    }

    /// Writes what needs no turn: failed attempts of a run that is not live, indexed state,
    /// and, of a parked run, its status and the messages that wait.
    pub(crate) fn write_aside(&mut self, run: &mut Run, now: Timestamp) {
        let mut written = Written::default();
        if !run.attempt_failures.is_empty() && run.machine.is_none() && !run.unreadable {
            if run.tail.hash.is_none() {
                return self.read(run);
            }
            let failures = run.take_unshown();
            let (events, about) = failures
                .into_iter()
                .map(|one| (one.event, one.about))
                .unzip();
            written.records = number(run, events, now);
            written.delivered = about;
        }
        let parked = run.parked.as_ref().filter(|parked| !parked.trying);
        let waits = |about: &Delivered| !about.in_inbox && !about.unstorable;
        let inbox_waits = run.is_held() && run.pending.iter().any(|one| waits(&one.about));
        let status_waits = parked.is_some_and(|parked| !parked.written) || run.unparked;
        let anything = !written.records.is_empty()
            || run.has_indexable()
            || !run.doubles.is_empty()
            || run.delay_over
            || inbox_waits
            || status_waits;
        if anything {
            self.write(run, written, now);
        }
    }
}

/// Numbers events that no machine records.
pub(crate) fn number(run: &Run, events: Vec<Event>, now: Timestamp) -> Vec<Record> {
    let at = now.max(run.tail.at);
    (run.tail.n + 1..)
        .zip(events)
        .map(|(n, event)| Record {
            n,
            at,
            body: RecordBody::Event(event),
        })
        .collect()
}

/// The record with a number, among those of one turn.
pub(crate) fn record_of(records: &[Record], n: u64) -> Option<&Record> {
    let index = usize::try_from(n.checked_sub(records.first()?.n)?).ok()?;
    records.get(index)
}

/// When a history was copied, if these records are such a copy: the deadlines of activities that
/// are outstanding in it begin anew then.
pub(crate) fn copied_at(records: &[Record]) -> Option<Timestamp> {
    match records.last()? {
        Record {
            at,
            body: RecordBody::Event(Event::RunReset(_)),
            ..
        } => Some(*at),
        _ => None,
    }
}

/// The activity that a command asks for, and when it did.
pub(crate) fn asked_in(
    records: &[Record],
    command_n: u64,
) -> Option<(Timestamp, &Arc<ScheduleActivity>)> {
    match record_of(records, command_n)? {
        Record {
            at,
            body: RecordBody::Command(Command::ScheduleActivity(asked)),
            ..
        } => Some((*at, asked)),
        _ => None,
    }
}

/// Cuts a turn before the event that failed: what came before is to be written, the rest comes
/// back undelivered.
fn cut(
    machine: &mut Machine,
    mut delivered: Vec<Delivered>,
) -> (Written, Vec<Event>, Vec<Delivered>) {
    let undelivered = machine.cut_turn();
    let about = delivered.split_off(delivered.len().saturating_sub(undelivered.len()));
    let turn = machine.take_turn();
    debug_assert!(
        !turn
            .effects
            .iter()
            .any(|effect| matches!(effect, MachineEffect::CloseRun { .. })),
        "a turn that closed its run has nothing left to cut"
    );
    (Written::of_turn(turn, delivered), undelivered, about)
}
