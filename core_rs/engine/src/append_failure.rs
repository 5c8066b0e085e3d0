//! A write that did not happen. An instance with an uncommitted turn is frozen: it sees no event
//! until the write is durable, or it is dropped without running its code.

use std::time::Duration;

use bytes::Bytes;
use perdure_history::Timestamp;
use perdure_store::{Append, AppendError, StoreError};

use crate::commit::Commit;
use crate::context::Context;
use crate::effect::{Effect, Reply};
use crate::pending::Pending;
use crate::run::{Phase, Run};
use crate::wheel::Due;

/// The waits before a write that found no space is tried again.
const NO_SPACE_WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

/// Why the engine has stopped: the store must be opened again, and a new engine recover from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stopped {
    /// A sync failed: what is on the disk is unknown.
    #[error("a sync failed ({reason}): the store must be opened again")]
    SyncFailed {
        /// What the operating system said.
        reason: String,
    },
    /// What more than one run needs is damaged: opening the store again cannot help.
    #[error("{reason}")]
    Damaged {
        /// What the store says of itself, and what to do.
        reason: String,
    },
    /// What was to be written could not be encoded, so that nothing of it was.
    #[error("the payload codec cannot encode: {reason}. Nothing was written in plain text")]
    Unsealed {
        /// What the codec said.
        reason: String,
    },
    /// Another engine has taken the store over.
    #[error("another engine has taken the store over")]
    TakenOver,
}

impl Context {
    /// Says why the engine must stop, if it must.
    pub(crate) fn append_failed(
        &mut self,
        run: &mut Run,
        error: AppendError,
        append: Box<Append>,
        now: Timestamp,
    ) -> Option<Stopped> {
        let Phase::Committing(commit) = &mut run.phase else {
            return None;
        };
        match error {
            AppendError::SyncFailed { reason } => return Some(Stopped::SyncFailed { reason }),
            AppendError::StoreDamaged { reason } => return Some(Stopped::Damaged { reason }),
            AppendError::NoSpace => {
                let wait = no_space_wait(commit);
                commit.retries += 1;
                commit.held = Some(append);
                self.wheel.arm(now + wait, Due::Append { run: run.id });
            }
            AppendError::Ambiguous { .. } => {
                commit.ambiguous = true;
                commit.held = Some(append);
                self.settle_write(run);
            }
            AppendError::Fenced {
                found_epoch, epoch, ..
            } if found_epoch > epoch => {
                self.refuse(run, &error);
                return Some(Stopped::TakenOver);
            }
            AppendError::AlreadyOpen { open_run, .. } => {
                self.refuse_child(run, open_run);
                self.answer_starters(run, &Reply::AlreadyStarted { run: open_run });
                self.refuse(run, &error);
            }
            AppendError::IdUsed { last_run, .. } => {
                self.answer_starters(run, &Reply::IdUsed { run: last_run });
                self.refuse(run, &error);
            }
            // An ambiguous write that had happened after all, without a batch to know it by.
            AppendError::AlreadyStarted { run: same } if same == run.id && commit.ambiguous => {
                self.committed(run, now);
            }
            AppendError::AlreadyStarted { run: other } => {
                self.answer_starters(run, &Reply::Started { run: other });
                self.refuse(run, &error);
            }
            _ => self.refuse(run, &error),
        }
        None
    }

    /// The wait after a write that did not happen, or could not be looked for, is over.
    pub(crate) fn settle_write(&mut self, run: &mut Run) {
        let Phase::Committing(commit) = &run.phase else {
            return;
        };
        match &commit.held {
            // It may be there: written again unread, it would look like another owner's.
            Some(held) if commit.ambiguous => {
                let (run, from_n) = (run.id, held.expected_n + 1);
                self.effect(Effect::Load { run, from_n });
            }
            _ => self.append_again(run),
        }
    }

    /// Writes the very same bytes again.
    pub(crate) fn append_again(&mut self, run: &mut Run) {
        if let Phase::Committing(commit) = &mut run.phase
            && let Some(append) = commit.held.take()
        {
            let ticket = self.tickets.issue(run.id);
            self.effect(Effect::Append { ticket, append });
        }
    }

    /// After an ambiguous write: what the store has tells whether it happened.
    pub(crate) fn append_checked(
        &mut self,
        run: &mut Run,
        outcome: Result<Vec<Bytes>, StoreError>,
        now: Timestamp,
    ) {
        let Phase::Committing(commit) = &mut run.phase else {
            return;
        };
        let Some(held) = &commit.held else {
            return;
        };
        match (outcome, &held.batch) {
            (Err(_), _) => {
                let wait = no_space_wait(commit);
                commit.retries += 1;
                self.wheel.arm(now + wait, Due::Append { run: run.id });
            }
            (Ok(found), Some(batch)) if found.first() == Some(batch) => self.committed(run, now),
            (Ok(found), _) if found.is_empty() => self.append_again(run),
            (Ok(_), None) => self.append_again(run),
            (Ok(_), Some(_)) => {
                let error = AppendError::Fenced {
                    run: run.id,
                    expected_n: held.expected_n,
                    epoch: held.epoch,
                    found_n: held.expected_n + 1,
                    found_epoch: held.epoch,
                };
                self.refuse(run, &error);
            }
        }
    }

    fn answer_starters(&mut self, run: &mut Run, reply: &Reply) {
        for to in run.start_waiters.drain(..) {
            self.effects.push_back(Effect::Reply {
                to,
                reply: reply.clone(),
            });
        }
        self.let_go_of_request(run);
        if let Some(message_id) = run.started_by.take() {
            self.effects.push_back(Effect::Consumed {
                run: None,
                message_id,
            });
        }
    }

    /// Drops a run whose write was refused, without running its code.
    fn refuse(&mut self, run: &mut Run, error: &AppendError) {
        for pending in &mut run.pending {
            self.refuse_asker(&mut pending.about, run.id);
        }
        let mut waiting: Vec<_> = run.start_waiters.drain(..).collect();
        waiting.append(&mut run.waiters);
        waiting.append(&mut self.updates.take_all(run.id));
        for Pending { about, .. } in run.pending.drain(..) {
            let carrier = about.carrier.and_then(|start| start.reply_to);
            waiting.extend(about.reply_to.into_iter().chain(carrier));
        }
        let words = run.pause_words.drain(..);
        waiting.extend(words.filter_map(|about| about.reply_to));
        if let Phase::Committing(commit) = &mut run.phase {
            waiting.extend(commit.senders());
        }
        waiting.extend(run.copy.take().map(|copy| copy.waiters).unwrap_or_default());
        let reply = match error {
            AppendError::Damaged { run, .. } => Reply::Damaged {
                run: *run,
                reason: error.to_string(),
            },
            _ => Reply::Refused {
                reason: Bytes::from(error.to_string()),
            },
        };
        for to in waiting {
            self.reply(to, reply.clone());
        }
        self.reset_closed(run);
        self.forget(run);
    }
}

fn no_space_wait(commit: &Commit) -> Duration {
    let (first, longest) = NO_SPACE_WAIT;
    first
        .saturating_mul(2u32.saturating_pow(commit.retries.min(16)))
        .min(longest)
}
