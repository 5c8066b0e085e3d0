//! Local activities: run by whoever steps the run, in no line and under no limit.
//!
//! They may run ahead of the write. A turn that only asks for such activities stays open for a
//! moment: they begin at once, their outcomes go into the same turn, and one write has it all. A
//! crash before it takes back what they did as far as the history goes, so that they run again. The
//! turn ends, and is written, as soon as anything else is to be delivered or said:
//!
//! | an open turn hears of | then |
//! |---|---|
//! | an outcome of its own activities | it is delivered, in the same turn |
//! | anything else: a message, a timer, a query, a close, a failed attempt to record | the write |
//! | a pause | the write: nothing more is delivered |
//! | the end of its time, or the events of a whole turn | the write |
//! | the drain of the engine | the write |

use std::collections::BTreeSet;
use std::time::Duration;

use perdure_history::{LocalOptions, Record, TaskId, Timestamp};
use perdure_machine::effect::Effect as MachineEffect;
use perdure_store::Append;

use crate::activity::{Activity, Stage};
use crate::commit::Written;
use crate::context::Context;
use crate::pending::{self, Delivered};
use crate::run::{Phase, Run};
use crate::turn::asked_in;
use crate::wheel::{Due, WheelKey};

/// How long a turn stays open: what a crash may have run again.
const AHEAD_FOR: Duration = Duration::from_millis(10);

/// A turn that stays open while its local activities run.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// What it has recorded so far; nothing of it is written.
    written: Written,
    until: Timestamp,
    key: Option<WheelKey>,
}

impl Written {
    /// Takes in what the turn recorded after this.
    pub(crate) fn extend(&mut self, later: Written) {
        self.records.extend(later.records);
        self.stored.extend(later.stored);
        self.delivered.extend(later.delivered);
        self.effects.extend(later.effects);
        self.begun.extend(later.begun);
    }
}

impl Run {
    /// Whether one of its local activities is with the host, which needs the instance for it.
    pub(crate) fn is_at_work_locally(&self) -> bool {
        let at_work = |activity: &Activity| {
            activity.local().is_some()
                && matches!(
                    activity.stage,
                    Stage::Reserved | Stage::Handed | Stage::Started
                )
        };
        self.activities.values().any(|activity| at_work(activity))
    }
}

impl Activity {
    /// How it is run, if it is a local one.
    pub(crate) fn local(&self) -> Option<LocalOptions> {
        self.schedule.as_ref()?.options.local
    }
}

impl Context {
    /// What a turn recorded joins what it had recorded before; it is written unless it stays open.
    pub(crate) fn write_or_run_ahead(&mut self, run: &mut Run, turn: Written, now: Timestamp) {
        if !self.may_stay_open(run, &turn, now) {
            let mut written = self.end_ahead(run);
            written.extend(turn);
            return self.write(run, written, now);
        }
        let mut ahead = run.ahead.take().unwrap_or_else(|| {
            let until = now + AHEAD_FOR;
            let key = self.wheel.arm(until, Due::Ahead { run: run.id });
            let written = Written::default();
            Box::new(Ahead {
                written,
                until,
                key,
            })
        });
        self.begin_ahead(run, &mut ahead.written, turn, now);
        run.ahead = Some(ahead);
        run.phase = Phase::Ahead;
        self.go_on_ahead(run, now);
    }

    /// Ends an open turn: what it recorded so far is to be written.
    pub(crate) fn end_ahead(&mut self, run: &mut Run) -> Written {
        run.ahead.take().map_or_else(Written::default, |mut ahead| {
            self.wheel.disarm(&mut ahead.key);
            ahead.written
        })
    }

    /// The time of an open turn is over.
    pub(crate) fn ahead_due(&mut self, run: &mut Run, now: Timestamp) {
        if let Some(ahead) = &mut run.ahead {
            ahead.key = None;
        }
        self.advance(run, now);
    }

    /// Something has come up while the turn is open.
    pub(crate) fn go_on_ahead(&mut self, run: &mut Run, now: Timestamp) {
        let Some(ahead) = &run.ahead else { return };
        let own = |one: &pending::Pending| {
            pending::ended(&one.event).is_some_and(|n| ahead.written.begun.contains(&n))
        };
        let only_own = run.closing.is_none()
            && run.resets.is_empty()
            && run.paused.is_none()
            && run.pause_words.is_empty()
            && run.due_timers.is_empty()
            && run.queries.is_empty()
            && run.attempt_failures.is_empty()
            && run.dirty.is_empty()
            && run.pending.iter().all(own);
        let in_time = now < ahead.until
            && !self.draining
            && ahead.written.delivered.len() < self.options.maximum_turn_events;
        if !only_own || !in_time {
            run.phase = Phase::Idle;
            let written = self.end_ahead(run);
            return self.write(run, written, now);
        }
        if !run.pending.is_empty() {
            run.phase = Phase::Idle;
            match self.offer_for(run) {
                // Another version begins anew from the history, which must be written first.
                Ok(offer) if offer.name() == run.live_on => self.begin_turn(run, &offer, now),
                _ => {
                    let written = self.end_ahead(run);
                    self.write(run, written, now);
                }
            }
        }
    }

    /// Whether nothing has to leave because of this turn but local activities.
    fn may_stay_open(&self, run: &Run, turn: &Written, now: Timestamp) -> bool {
        let ahead = run.ahead.as_deref();
        // Who sent a message waits until it is durable, and what comes of it waits with him.
        let is_message = |about: &Delivered| {
            about.message_id.is_some() || about.reply_to.is_some() || about.asker.is_some()
        };
        if self.draining
            || run.create.is_some()
            || run.parked.is_some()
            || run.unparked
            || run.paused.is_some()
            || !run.pause_words.is_empty()
            || run.closing.is_some()
            || !run.queries.is_empty()
            || !run.doubles.is_empty()
            || turn.delivered.iter().any(is_message)
            || ahead.is_some_and(|ahead| now >= ahead.until)
        {
            return false;
        }
        let given_up = given_up_in(turn);
        let mut open = ahead.map_or(0, |ahead| ahead.written.begun.len());
        let quiet = turn.effects.iter().all(|effect| match effect {
            MachineEffect::ScheduleActivity { command_n } => {
                open += usize::from(!given_up.contains(command_n));
                asked_in(&turn.records, *command_n)
                    .and_then(|(_, asked)| asked.options.local)
                    .is_some_and(|local| !local.recorded_first)
            }
            MachineEffect::ActivityClosed { command_n } => {
                let own = ahead.is_some_and(|ahead| ahead.written.begun.contains(command_n));
                open -= usize::from(own);
                true
            }
            _ => false,
        });
        quiet && open > 0
    }

    /// Begins the activities that a turn asks for, and forgets those that began and ended in it.
    fn begin_ahead(&mut self, run: &mut Run, written: &mut Written, turn: Written, now: Timestamp) {
        let given_up = given_up_in(&turn);
        for effect in turn.effects {
            match effect {
                MachineEffect::ScheduleActivity { command_n }
                | MachineEffect::ActivityClosed { command_n }
                    if given_up.contains(&command_n) => {}
                MachineEffect::ScheduleActivity { command_n } => {
                    if self.schedule_ahead(run, command_n, &turn.records) {
                        written.begun.insert(command_n);
                        self.hand_out(run, command_n, now);
                    }
                }
                MachineEffect::ActivityClosed { command_n } if written.begun.remove(&command_n) => {
                    self.drop_activity(run, command_n);
                }
                other => written.effects.push(other),
            }
        }
        written.records.extend(turn.records);
        written.stored.extend(turn.stored);
        written.delivered.extend(turn.delivered);
    }

    fn schedule_ahead(&mut self, run: &mut Run, command_n: u64, records: &[Record]) -> bool {
        let Some((at, asked)) = asked_in(records, command_n) else {
            return false;
        };
        let line = self.line_of(run);
        let route = self.slots.route_of(asked, &line);
        let mut activity = Activity::new(std::sync::Arc::clone(asked), route, at);
        activity.nonce = self.random.next_u64();
        activity.stage = Stage::Reserved;
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: 1,
        };
        let asks = (route, Some(asked));
        self.slots.hold(task, activity.nonce, asks, at);
        run.activities.insert(command_n, Box::new(activity));
        true
    }

    /// Begins the next attempt of a local activity, or waits for the code that it needs.
    pub(crate) fn make_ready_locally(&mut self, run: &mut Run, command_n: u64, now: Timestamp) {
        let nonce = self.random.next_u64();
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        activity.stage = Stage::Queued;
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: activity.attempt,
        };
        if self.draining {
            return self.rearm(run, command_n);
        }
        if !run.hosted {
            run.wants_code = true;
            return self.rearm(run, command_n);
        }
        let asked = activity.schedule.as_ref();
        self.slots.hold(task, nonce, (activity.route, asked), now);
        activity.nonce = nonce;
        activity.stage = Stage::Reserved;
        if std::mem::take(&mut activity.failed_unrecorded) {
            // The index has an attempt before this one as handed out: lost, it counts.
            return self.hand_out(run, command_n, now);
        }
        run.dirty.insert(command_n);
        self.rearm(run, command_n);
    }

    /// The host has an instance again: the local activities that waited for it begin.
    pub(crate) fn begin_waiting_locally(&mut self, run: &mut Run, now: Timestamp) {
        if !std::mem::take(&mut run.wants_code) {
            return;
        }
        let waits =
            |activity: &Activity| activity.local().is_some() && activity.stage == Stage::Queued;
        for command_n in run.activities_where(waits) {
            self.make_ready_locally(run, command_n, now);
        }
    }

    /// What began ahead of this write is handed out already.
    pub(crate) fn index_begun(&self, run: &Run, begun: &BTreeSet<u64>, append: &mut Append) {
        let open = begun
            .iter()
            .filter_map(|n| Some((*n, run.activities.get(n)?)));
        append
            .index_changes
            .extend(open.map(|(n, activity)| self.put_activity(run, n, activity)));
    }
}

/// The activities that a turn both asks for and takes back: they never begin.
fn given_up_in(turn: &Written) -> BTreeSet<u64> {
    let closed = turn.effects.iter().filter_map(|effect| match effect {
        MachineEffect::ActivityClosed { command_n } => Some(*command_n),
        _ => None,
    });
    closed
        .filter(|n| asked_in(&turn.records, *n).is_some())
        .collect()
}
