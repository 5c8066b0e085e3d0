//! Attempts that complete asynchronously: their code has returned, and somebody else, in this
//! process or another, says by the attempt's token what came of them.

use perdure_history::{Event, MessageId, TaskId, Timestamp};

use crate::activity::{Activity, Stage};
use crate::context::Context;
use crate::effect::{Effect, Reply};
use crate::input::ActivityWord;
use crate::pending::{self, Delivered, Pending};
use crate::run::{Phase, Run};
use crate::task::TaskOutcome;
use crate::timeouts;

impl Context {
    /// A client's word on an attempt. What was due before it was received comes first.
    pub(crate) fn hear(
        &mut self,
        run: &mut Run,
        word: ActivityWord,
        about: Delivered,
        now: Timestamp,
    ) {
        if join_double(run, &about) {
            if let Some(to) = about.reply_to.filter(|_| kept_already(run, &about)) {
                self.reply(to, Reply::Accepted);
            }
            return;
        }
        let command_n = word.command_n;
        if let Some(activity) = run.activities.get_mut(&command_n) {
            let (due_at, _) = timeouts::earliest(activity, self.options.claim_timeout);
            if due_at <= about.received_at {
                self.wheel.disarm(&mut activity.key);
                self.activity_due(run, command_n, now);
            }
        }
        match run.activities.get(&command_n) {
            Some(activity) if fits(&word, activity) && waits(run, command_n, activity) => {
                if activity.schedule.is_none() {
                    self.defer(run, word, about);
                } else {
                    self.take_word(run, word, about, now);
                }
            }
            _ => self.refuse_word(run, about),
        }
    }

    /// What the word needs stands in the history, which is read first.
    fn defer(&mut self, run: &mut Run, word: ActivityWord, about: Delivered) {
        if run.unreadable {
            if let Some(to) = about.reply_to {
                let reason = "the run's history cannot be read: see `perdure workflow describe`";
                let reason = bytes::Bytes::from_static(reason.as_bytes());
                self.reply(to, Reply::Refused { reason });
            }
            return;
        }
        run.lacks_schedules = true;
        run.deferred_words.push((word, about));
    }

    /// The history has been read.
    pub(crate) fn hear_deferred(&mut self, run: &mut Run, now: Timestamp) {
        for (word, about) in std::mem::take(&mut run.deferred_words) {
            self.hear(run, word, about, now);
        }
    }

    fn take_word(&mut self, run: &mut Run, word: ActivityWord, about: Delivered, now: Timestamp) {
        let command_n = word.command_n;
        let Some(activity) = run.activities.get(&command_n) else {
            return;
        };
        let attempt = activity.attempt;
        let event = match word.outcome {
            TaskOutcome::Completed { result } => Event::ActivityCompleted {
                command_n,
                attempt,
                result,
            },
            TaskOutcome::Cancelled { details } => Event::ActivityCancelled {
                command_n,
                attempt,
                details,
            },
            TaskOutcome::Failed { failure } => {
                self.let_go_of_word(run, command_n, now);
                self.attempt_failed(run, command_n, failure, about.received_at, now);
                return sign(run, command_n, about);
            }
            TaskOutcome::Heartbeat { details } => {
                let cancelled = activity.cancel_requested;
                self.heartbeat(run, command_n, details, now);
                let reply = if cancelled {
                    Reply::CancelRequested { run: run.id }
                } else {
                    Reply::Accepted
                };
                if let Some(to) = about.reply_to {
                    self.reply(to, reply);
                }
                return;
            }
            _ => return self.refuse_word(run, about),
        };
        self.let_go_of_word(run, command_n, now);
        self.report_end(run, command_n, event, about.received_at);
        sign(run, command_n, about);
    }

    /// A worker may still be at work on the attempt: it keeps its slot until its last word.
    fn let_go_of_word(&mut self, run: &Run, command_n: u64, now: Timestamp) {
        if let Some(activity) = run.activities.get(&command_n) {
            let task = TaskId {
                run: run.id,
                n: command_n,
                attempt: activity.attempt,
            };
            self.give_up_slot(task, activity.route.is_local(), now);
        }
    }

    fn refuse_word(&mut self, run: &Run, about: Delivered) {
        if let Some(to) = about.reply_to {
            self.reply(to, Reply::ActivityNotFound { run: run.id });
        }
        if let Some(message_id) = about.message_id {
            let run = Some(run.id);
            self.effect(Effect::Consumed { run, message_id });
        }
    }
}

/// Whether the word is about the attempt under way.
fn fits(word: &ActivityWord, activity: &Activity) -> bool {
    word.token
        .is_none_or(|token| token == (activity.attempt, activity.nonce))
}

/// Whether the attempt has no outcome yet. After a restart, the index may say that the inbox has
/// it: then this is it.
fn waits(run: &Run, command_n: u64, activity: &Activity) -> bool {
    let outcome_waits = || {
        let mut waiting = run.pending.iter();
        waiting.any(|one| pending::ended(&one.event) == Some(command_n))
    };
    let turns = !matches!(run.phase, Phase::Idle | Phase::Loading);
    activity.is_handed() || (activity.stage == Stage::Reported && !turns && !outcome_waits())
}

/// What was just put in line came with a message: it is consumed with it, and its sender answered.
fn sign(run: &mut Run, command_n: u64, about: Delivered) {
    let of_activity = |one: &&mut Pending| {
        pending::ended(&one.event) == Some(command_n)
            || pending::failed(&one.event) == Some(command_n)
    };
    let mut waiting = run.pending.iter_mut().chain(&mut run.attempt_failures);
    if let Some(one) = waiting.find(of_activity) {
        one.about = about;
    }
}

/// The same message again, while what it says is not recorded yet: its sender is answered with it.
fn join_double(run: &mut Run, about: &Delivered) -> bool {
    let Some(id) = &about.message_id else {
        return false;
    };
    let is_same = |other: &&mut Delivered| other.message_id.as_ref() == Some(id);
    let waiting = run.pending.iter_mut().chain(&mut run.attempt_failures);
    let mut waiting = waiting.map(|one| &mut one.about);
    let found = match (waiting.find(is_same), &mut run.phase) {
        (Some(found), _) => Some(found),
        (None, Phase::Stepping(delivered)) => delivered.iter_mut().find(is_same),
        (None, Phase::Committing(commit)) => commit.delivered.iter_mut().find(is_same),
        _ => None,
    };
    let Some(found) = found else {
        return false;
    };
    if !found.in_inbox {
        found.reply_to = about.reply_to.or(found.reply_to);
    }
    true
}

/// Whether a message waits in the inbox, and is durable there.
fn kept_already(run: &Run, about: &Delivered) -> bool {
    let is_same = |id: &MessageId| about.message_id.as_ref() == Some(id);
    let mut waiting = run.pending.iter();
    waiting.any(|one| one.about.in_inbox && one.about.message_id.as_ref().is_some_and(is_same))
}
