//! Runs that follow others: by continue-as-new, or as another attempt.
//!
//! The start of the next run is a message in the outbox of the very write that closes the one
//! before, so that there is never a moment with neither. Its workflow id stays taken: the engine
//! begins it before it handles anything else, after a crash too. Messages that no turn of the old
//! run has taken go over to the next in the same write.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{Chain, Command, Event, RecordBody, RunId, Successor, Timestamp};
use perdure_machine::Machine;
use perdure_machine::effect::{DropReason, Effect as MachineEffect};
use perdure_machine::machine::RecordedTurn;
use perdure_store::{Append, InboxMessage};

use crate::commit::Commit;
use crate::context::Context;
use crate::engine::Engine;
use crate::message_codec;
use crate::pending::{Delivered, Pending};
use crate::retry::{self, FailedAttempt, Verdict};
use crate::run::{Run, Timer};
use crate::wheel::Due;

/// A run that follows one, and the messages that it takes over.
#[derive(Debug)]
pub(crate) struct Renewal {
    successor: Arc<Successor>,
    messages: Vec<Pending>,
}

impl Context {
    /// What the closing write of a run says of the one that follows, if one does.
    pub(crate) fn renew(
        &mut self,
        run: &mut Run,
        effects: &[MachineEffect],
        append: &mut Append,
        commit: &mut Commit,
        now: Timestamp,
    ) {
        let Some(successor) = commit.closed.as_ref().and_then(|all| all.successor.clone()) else {
            return;
        };
        let begins = Event::RunStarted(Arc::new(successor.start.clone()));
        append.outbox.push(InboxMessage {
            run: None,
            message_id: successor.start.message_id.clone(),
            received_at: now,
            body: message_codec::encode_event(successor.run, &begins, now),
        });
        let mut messages = Vec::new();
        let mut waiting = late_messages(effects, commit);
        for mut pending in run.pending.drain(..) {
            // One that the run has had already must not come again in the next.
            match &pending.about.message_id {
                Some(id) if !run.seen.insert(id.clone()) => {
                    commit.keep_carrier(&mut pending.about);
                    commit.dropped.push(pending.about);
                }
                _ => waiting.push(pending),
            }
        }
        for mut pending in waiting {
            if !is_message(&pending.event) {
                commit.dropped.push(pending.about);
                continue;
            }
            append.outbox.extend(forwarded(successor.run, &pending));
            commit.kept.extend(pending.about.reply_to.take());
            commit.keep_carrier(&mut pending.about);
            // Out of the old run's inbox it is taken once the write is durable.
            commit.dropped.push(Delivered {
                asker: None,
                ..pending.about.clone()
            });
            pending.about.in_inbox = true;
            messages.push(pending);
        }
        commit.renewal = Some(Box::new(Renewal {
            successor,
            messages,
        }));
    }
}

/// The events of this turn that came after the close, with what is known of them: they leave the
/// dropped ones. The turn took no double among them.
fn late_messages(effects: &[MachineEffect], commit: &mut Commit) -> Vec<Pending> {
    let events = effects.iter().filter_map(|effect| match effect {
        MachineEffect::EventDropped {
            event,
            reason: DropReason::RunClosed,
        } => Some(&**event),
        _ => None,
    });
    events
        .zip(std::mem::take(&mut commit.dropped))
        .map(|(event, about)| Pending {
            event: event.clone(),
            about,
        })
        .collect()
}

fn is_message(event: &Event) -> bool {
    matches!(
        event,
        Event::SignalReceived { .. } | Event::CancelRequested { .. }
    )
}

fn forwarded(to: RunId, pending: &Pending) -> Option<InboxMessage> {
    let message_id = pending.about.message_id.clone()?;
    let received_at = pending.about.received_at;
    Some(InboxMessage {
        run: Some(to),
        message_id,
        received_at,
        body: message_codec::encode_event(to, &pending.event, received_at),
    })
}

/// When a run must be over: its own timeout counts from when it begins, the chain's from the first
/// start.
pub(crate) fn deadline(
    run_timeout: Option<Duration>,
    chain: &Chain,
    now: Timestamp,
) -> Option<Timestamp> {
    let own = run_timeout.map(|span| chain.begins_at.unwrap_or(now).max(now) + span);
    own.into_iter().chain(chain.ends_by).min()
}

impl Context {
    /// Holds a new run back until it is to begin, and puts the instants into its start.
    pub(crate) fn delay(&mut self, run: &mut Run, chain: Chain, now: Timestamp) {
        if let Some(fire_at) = chain.begins_at.filter(|at| *at > now) {
            let key = self.wheel.arm(fire_at, Due::Begin { run: run.id });
            run.delay = Some(Timer { fire_at, key });
        }
        if let Some(Pending {
            event: Event::RunStarted(started),
            ..
        }) = run.pending.front_mut()
        {
            Arc::make_mut(started).chain = chain;
        }
    }

    /// A run that failed may be tried again: its last record says so.
    pub(crate) fn retry_run(&mut self, machine: &Machine, turn: &mut RecordedTurn) {
        let Some((started, policy)) = machine
            .started()
            .and_then(|started| Some((started, started.chain.retry_policy.as_ref()?)))
        else {
            return;
        };
        for record in &mut turn.records {
            let RecordBody::Command(Command::FailRun { failure, next }) = &mut record.body else {
                continue;
            };
            let attempt = started.chain.attempt;
            let failed = FailedAttempt {
                policy,
                attempt,
                failure,
                cancel_requested: false,
                closes_at: started.chain.ends_by.unwrap_or(Timestamp::NEVER),
            };
            if let Verdict::RetryAt(at) = retry::decide(&failed, record.at, &mut self.random) {
                let mut successor = Successor::of(machine.run(), started, record.at);
                let chain = &mut successor.start.chain;
                chain.attempt = attempt.saturating_add(1);
                chain.last_failure = Some(failure.clone());
                chain.begins_at = Some(at);
                *next = Some(Arc::new(successor));
            }
        }
    }
}

impl Engine {
    /// Begins the runs that follow those that closed just now.
    pub(crate) fn begin_renewals(&mut self, now: Timestamp) {
        for renewal in std::mem::take(&mut self.context.renewals) {
            let Renewal {
                successor,
                messages,
            } = renewal;
            let start = message_codec::start_of(successor.run, &successor.start);
            let message_id = successor.start.message_id.clone();
            self.start(message_id, None, &start, now);
            self.with_run(successor.run, |context, run| {
                run.pending.extend(messages);
                context.advance(run, now);
            });
        }
    }
}
