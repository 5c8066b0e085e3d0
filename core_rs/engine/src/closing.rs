//! How runs end: by their own last command, or from outside without running their code.

use std::sync::Arc;

use perdure_history::{
    CancellationType, Command, Event, Failure, FailureKind, MessageId, Payload, Record, RecordBody,
    RunId, Successor, TimeoutKind, Timestamp,
};
use perdure_machine::effect::{ClosedStatus, DropReason, Effect as MachineEffect};
use perdure_store::{Append, RunStatus};

use crate::activity::Activity;
use crate::commit::{Commit, Written};
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::pending::{Delivered, Pending};
use crate::run::{Phase, Run};
use crate::starts;
use crate::turn;

/// A close that needs no workflow code.
#[derive(Clone, Debug)]
pub(crate) enum ClosingRequest {
    Terminate {
        message_id: MessageId,
        reason: String,
        reply_to: Option<ReplyTo>,
        /// The run that goes on from a copy of this one.
        next_run_id: Option<RunId>,
    },
    /// The run timeout passed at this instant: what was received before it comes first.
    TimeOut { at: Timestamp },
}

impl ClosingRequest {
    /// Before which instant an event must have been received to be delivered all the same.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Terminate { .. } => None,
            Self::TimeOut { at } => Some(*at),
        }
    }

    /// Who asked for it, when another request closes the run: like anybody who comes late.
    pub(crate) fn too_late(self) -> Option<Delivered> {
        let Self::Terminate {
            message_id,
            reply_to,
            ..
        } = self
        else {
            return None;
        };
        Some(Delivered {
            message_id: Some(message_id),
            reply_to,
            ..Delivered::default()
        })
    }
}

/// How a run ended, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// How.
    pub status: ClosedStatus,
    /// What it returned, or why not.
    pub outcome: Result<Payload, Failure>,
    /// The run that goes on from it.
    pub successor: Option<Arc<Successor>>,
    /// The run that goes on from a copy of it.
    pub copied_as: Option<RunId>,
}

impl Closed {
    /// The id of the run that goes on from it.
    #[must_use]
    pub fn next_run(&self) -> Option<RunId> {
        let successor = self.successor.as_ref().map(|successor| successor.run);
        successor.or(self.copied_as)
    }
}

impl Context {
    /// Closes a run by an event that its code never sees.
    pub(crate) fn close_without_code(&mut self, run: &mut Run, now: Timestamp) {
        if run.tail.hash.is_none() {
            // What cannot be read now cannot be written on either: the close waits for the next
            // try of the parked run.
            if run.unreadable {
                self.tell_unreadable(run);
                return self.write_aside(run, now);
            }
            return self.read(run);
        }
        let Some(request) = run.closing.take() else {
            return;
        };
        let mut written = Written::default();
        let mut events = Vec::new();
        // A start that was never delivered is recorded all the same: the history says what ended.
        if let Some(Pending {
            event: Event::RunStarted(_),
            ..
        }) = run.pending.front()
            && let Some(start) = run.pending.pop_front()
        {
            events.push(start.event);
            written.delivered.push(start.about);
        }
        for failure in run.take_unshown() {
            events.push(failure.event);
            written.delivered.push(failure.about);
        }
        let (event, status, about) = closing_event(request);
        events.push(event);
        written.delivered.push(about);
        written.records = turn::number(run, events, now);
        written.effects.push(MachineEffect::CloseRun { status });
        self.forget_machine(run);
        self.write(run, written, now);
    }

    /// What waits when a run closes goes over to what follows it, or is dropped.
    pub(crate) fn hand_on_or_drop(
        &mut self,
        run: &mut Run,
        effects: &[MachineEffect],
        append: &mut Append,
        commit: &mut Commit,
        now: Timestamp,
    ) {
        run.dirty.clear();
        let kept = commit.delivered.len().saturating_sub(dropped_by(effects));
        commit.dropped = commit.delivered.split_off(kept);
        self.renew(run, effects, append, commit, now);
        self.hand_over(run, append, commit, now);
        starts::keep_rivals(run, append, now);
        let waiting = run.pending.drain(..).chain(run.attempt_failures.drain(..));
        commit.dropped.extend(waiting.map(|pending| pending.about));
        for mut double in run.doubles.drain(..) {
            commit.keep_carrier(&mut double.about);
            commit.dropped.push(double.about);
        }
    }

    /// Who asked for the close need not wait until the history can be read again.
    fn tell_unreadable(&mut self, run: &mut Run) {
        let Some(ClosingRequest::Terminate { reply_to, .. }) = &mut run.closing else {
            return;
        };
        let Some(to) = reply_to.take() else { return };
        let why = run
            .parked
            .as_ref()
            .map(|parked| parked.reason.message.as_str());
        let reason = format!(
            "the run is ended once its history can be read: {}",
            why.unwrap_or_default()
        );
        let reason = bytes::Bytes::from(reason);
        self.reply(to, Reply::Refused { reason });
    }

    /// The close is durable: everybody who waits is told, and the run is forgotten.
    pub(crate) fn finish_close(&mut self, run: &mut Run, closed: Closed, dropped: Vec<Delivered>) {
        let waiting = run.pending.drain(..).chain(run.attempt_failures.drain(..));
        let waiting: Vec<_> = waiting.map(|pending| pending.about).collect();
        let late = std::mem::take(&mut run.late);
        let words = std::mem::take(&mut run.pause_words);
        let told = dropped.into_iter().chain(waiting).chain(late).chain(words);
        for mut about in told {
            self.refuse_asker(&mut about, run.id);
            if let Some(to) = about.reply_to {
                let reply = Reply::Closed {
                    run: run.id,
                    status: closed.status,
                };
                self.effects.push_back(Effect::Reply { to, reply });
            }
            // What it brought was not taken here: the id may be free for it now.
            self.rivals.extend(about.carrier.map(|start| *start));
            if let Some(message_id) = about.message_id {
                self.effects.push_back(Effect::Consumed {
                    run: Some(run.id),
                    message_id,
                });
            }
        }
        if let Some(ClosingRequest::Terminate {
            message_id,
            reply_to,
            ..
        }) = run.closing.take()
        {
            if let Some(to) = reply_to {
                self.reply(
                    to,
                    Reply::Closed {
                        run: run.id,
                        status: closed.status,
                    },
                );
            }
            self.effect(Effect::Consumed {
                run: Some(run.id),
                message_id,
            });
        }
        for query in run.queries.drain(..) {
            let reply = Reply::Closed {
                run: run.id,
                status: closed.status,
            };
            self.effects.push_back(Effect::Reply {
                to: query.reply_to,
                reply,
            });
        }
        for to in run.waiters.drain(..) {
            let outcome = closed.outcome.clone();
            let reply = Reply::Result {
                run: run.id,
                status: closed.status,
                outcome,
                next_run: closed.next_run(),
            };
            self.effects.push_back(Effect::Reply { to, reply });
        }
        self.find_updates(run.id);
        self.reset_closed(run);
        self.leave_abandoned(run, closed.status);
        self.forget(run);
    }

    /// Lets go of the calls that are abandoned when they are cancelled: when the code of a run
    /// ends, its workers are told to stop, but for theirs. A cancel just before the end is not
    /// recorded.
    fn leave_abandoned(&mut self, run: &mut Run, status: ClosedStatus) {
        if matches!(status, ClosedStatus::Terminated | ClosedStatus::TimedOut) {
            return;
        }
        let is_abandoned = |activity: &Activity| {
            let schedule = activity.schedule.as_ref();
            schedule.is_some_and(|it| it.options.cancellation_type == CancellationType::Abandon)
                // Nobody but the run holds a session open.
                && !activity.begins_session()
        };
        for command_n in run.activities_where(is_abandoned) {
            self.drop_activity(run, command_n);
        }
    }

    /// Disarms all that a run has armed, tells its workers to stop, and drops the host's instance.
    pub(crate) fn forget(&mut self, run: &mut Run) {
        for timer in run
            .timers
            .values_mut()
            .chain(&mut run.run_timeout)
            .chain(&mut run.delay)
        {
            self.wheel.disarm(&mut timer.key);
        }
        if let Some(parked) = &mut run.parked {
            self.wheel.disarm(&mut parked.key);
        }
        let outstanding: Vec<u64> = run.activities.keys().copied().collect();
        for command_n in outstanding {
            if let Some(task) = self.handed_task(run, command_n) {
                self.tell_cancel(task);
            }
            self.drop_activity(run, command_n);
        }
        if run.hosted {
            self.effect(Effect::Evict { run: run.id });
        }
        self.forget_live(run);
        self.rivals.append(&mut run.rivals);
        run.phase = Phase::Gone;
    }
}

fn closing_event(request: ClosingRequest) -> (Event, ClosedStatus, Delivered) {
    match request {
        ClosingRequest::Terminate {
            message_id,
            reason,
            reply_to,
            next_run_id,
        } => {
            let about = Delivered {
                message_id: Some(message_id.clone()),
                reply_to,
                ..Delivered::default()
            };
            (
                Event::RunTerminated {
                    message_id,
                    reason,
                    next_run_id,
                },
                ClosedStatus::Terminated,
                about,
            )
        }
        ClosingRequest::TimeOut { .. } => (
            Event::RunTimedOut,
            ClosedStatus::TimedOut,
            Delivered::default(),
        ),
    }
}

/// How a turn closed its run, if it did.
pub(crate) fn closed_by(effects: &[MachineEffect], records: &[Record]) -> Option<Closed> {
    closes(effects).then(|| last_closing(records)).flatten()
}

/// Whether a turn ended its run.
pub(crate) fn closes(effects: &[MachineEffect]) -> bool {
    let closes = |effect: &MachineEffect| matches!(effect, MachineEffect::CloseRun { .. });
    effects.iter().any(closes)
}

/// How many of a turn's events were dropped because the run was closed before them.
fn dropped_by(effects: &[MachineEffect]) -> usize {
    let dropped = |effect: &&MachineEffect| {
        matches!(
            effect,
            MachineEffect::EventDropped {
                reason: DropReason::RunClosed,
                ..
            }
        )
    };
    effects.iter().filter(dropped).count()
}

/// The record that closed a run, as an outcome; `None` when there is none.
#[must_use]
pub fn last_closing(records: &[Record]) -> Option<Closed> {
    records.iter().rev().find_map(|record| match &record.body {
        RecordBody::Command(Command::CompleteRun { result }) => Some(Closed {
            status: ClosedStatus::Completed,
            outcome: Ok(result.clone()),
            successor: None,
            copied_as: None,
        }),
        RecordBody::Command(Command::FailRun { failure, next }) => Some(Closed {
            status: ClosedStatus::Failed,
            outcome: Err(failure.clone()),
            successor: next.clone(),
            copied_as: None,
        }),
        RecordBody::Command(Command::CancelRun { details }) => {
            let kind = FailureKind::Cancelled {
                details: details.clone(),
            };
            Some(ended(
                ClosedStatus::Cancelled,
                kind,
                "the run was cancelled",
            ))
        }
        RecordBody::Command(Command::ContinueAsNew(successor)) => {
            let kind = FailureKind::Application {
                type_name: "ContinuedAsNew".to_owned(),
                details: None,
                non_retryable: true,
                next_retry_delay: None,
            };
            let message = format!("it goes on as run {}", successor.run);
            Some(Closed {
                successor: Some(Arc::clone(successor)),
                ..ended(ClosedStatus::ContinuedAsNew, kind, &message)
            })
        }
        RecordBody::Event(Event::RunTerminated {
            reason,
            next_run_id,
            ..
        }) => Some(Closed {
            copied_as: *next_run_id,
            ..ended(ClosedStatus::Terminated, FailureKind::Terminated, reason)
        }),
        RecordBody::Event(Event::RunTimedOut) => {
            let kind = FailureKind::Timeout {
                kind: TimeoutKind::Run,
                last_heartbeat_details: None,
            };
            Some(ended(
                ClosedStatus::TimedOut,
                kind,
                "the run took longer than its timeout",
            ))
        }
        _ => None,
    })
}

fn ended(status: ClosedStatus, kind: FailureKind, message: &str) -> Closed {
    let failure = Failure {
        kind,
        message: message.to_owned(),
        stack: String::new(),
        cause: None,
    };
    Closed {
        status,
        outcome: Err(failure),
        successor: None,
        copied_as: None,
    }
}

/// The status under which the store keeps a closed run.
pub(crate) fn stored(status: ClosedStatus) -> RunStatus {
    match status {
        ClosedStatus::Failed => RunStatus::Failed,
        ClosedStatus::Cancelled => RunStatus::Cancelled,
        ClosedStatus::Terminated => RunStatus::Terminated,
        ClosedStatus::TimedOut => RunStatus::TimedOut,
        ClosedStatus::ContinuedAsNew => RunStatus::ContinuedAsNew,
        _ => RunStatus::Completed,
    }
}
