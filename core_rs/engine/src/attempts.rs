//! Attempts: what workers say of them, what the clock says of them, and what follows.

use std::time::Duration;

use perdure_history::{Event, Failure, FailureKind, LocalOptions, TaskId, TimeoutKind, Timestamp};

use crate::activity::Stage;
use crate::context::Context;
use crate::dispatch::ABANDONED_AFTER;
use crate::parking::unstorable;
use crate::pending::Pending;
use crate::retry::{self, FailedAttempt, Verdict};
use crate::run::Run;
use crate::task::{TaskOutcome, TaskReport};
use crate::timeouts::{self, Deadline};
use crate::wheel::Due;

/// Heartbeat details go to the index at most this often; a failure records the last ones anyway.
const DETAILS_KEPT_EVERY: Duration = Duration::from_secs(10);
/// The waits before a task that no worker began is handed out again.
const HAND_AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// The waits that a worker may wish for instead: one that asks for none would be asked for ever.
const WISHED_WAIT: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(60));

impl Context {
    /// A worker's word on a task that this run may still wait for.
    pub(crate) fn apply_report(&mut self, run: &mut Run, report: TaskReport, now: Timestamp) {
        let command_n = report.id.n;
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        if activity.attempt != report.id.attempt || !activity.is_handed() {
            return;
        }
        let needs_policy = matches!(
            report.outcome,
            TaskOutcome::Failed { .. } | TaskOutcome::NotStarted { .. } | TaskOutcome::Lost(_)
        );
        if activity.schedule.is_none() && needs_policy {
            run.deferred.push(report);
            return;
        }
        let attempt = report.id.attempt;
        match report.outcome {
            TaskOutcome::Completed { result } => {
                let event = Event::ActivityCompleted {
                    command_n,
                    attempt,
                    result,
                };
                self.report_end(run, command_n, event, now);
            }
            TaskOutcome::Failed { failure } => {
                self.attempt_failed(run, command_n, failure, now, now);
            }
            TaskOutcome::Cancelled { details } => {
                let event = Event::ActivityCancelled {
                    command_n,
                    attempt,
                    details,
                };
                self.report_end(run, command_n, event, now);
            }
            TaskOutcome::Lost(_) => {
                self.attempt_failed(run, command_n, worker_lost(), now, now);
            }
            TaskOutcome::NotStarted {
                reason,
                retry_after,
            } => self.not_started(run, command_n, (reason, retry_after), now),
            TaskOutcome::Accepted => {
                activity.stage = Stage::Started;
                activity.stage_at = now;
                activity.heard_at = now;
                self.rearm(run, command_n);
            }
            TaskOutcome::Detached => {
                activity.stage = Stage::Detached;
                activity.heard_at = now;
                run.dirty.insert(command_n);
                self.rearm(run, command_n);
            }
            TaskOutcome::Heartbeat { details } => {
                self.heartbeat(run, command_n, details, now);
            }
        }
    }

    pub(crate) fn heartbeat(
        &mut self,
        run: &mut Run,
        command_n: u64,
        details: Option<perdure_history::Payload>,
        now: Timestamp,
    ) {
        let details = self.storable(run, details, now);
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        activity.heard_at = now;
        if activity.stage != Stage::Detached {
            activity.stage = Stage::Started;
        }
        if details.is_some() {
            activity.heartbeat_details = details;
            if now.since(activity.details_kept_at) >= DETAILS_KEPT_EVERY {
                activity.details_kept_at = now;
                run.dirty.insert(command_n);
            }
        }
        let tell_again = activity.cancel_requested;
        if tell_again {
            activity.cancel_told_at = now;
        }
        self.rearm(run, command_n);
        if tell_again && let Some(task) = self.handed_task(run, command_n) {
            self.tell_cancel(task);
        }
    }

    /// Progress that the codec refuses parks the run: the progress before it stays the last.
    fn storable(
        &mut self,
        run: &mut Run,
        details: Option<perdure_history::Payload>,
        now: Timestamp,
    ) -> Option<perdure_history::Payload> {
        let mut sealed = details.clone();
        let Err(why) = self.options.seal.close(sealed.iter_mut().collect()) else {
            return details;
        };
        if run.is_idle() && !run.is_held() && !run.is_at_work_locally() {
            self.evict(run);
            self.park(run, unstorable(&why), now);
        }
        None
    }

    /// No worker began the attempt: it is not used up, and is handed out again after a wait.
    fn not_started(
        &mut self,
        run: &mut Run,
        command_n: u64,
        (reason, wish): (String, Option<Duration>),
        now: Timestamp,
    ) {
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        if activity.cancel_requested {
            activity.stage = Stage::NotStarted;
            let attempt = activity.attempts_begun();
            let event = Event::ActivityCancelled {
                command_n,
                attempt,
                details: None,
            };
            return self.report_end(run, command_n, event, now);
        }
        let wait = wish.map_or_else(
            || {
                let (first, longest) = HAND_AGAIN;
                let doubled = 2u32.saturating_pow(activity.refusals.min(16));
                first.saturating_mul(doubled).min(longest)
            },
            |wish| wish.clamp(WISHED_WAIT.0, WISHED_WAIT.1),
        );
        activity.refusals += 1;
        activity.refusal = Some(reason);
        activity.stage = Stage::NotStarted;
        activity.stage_at = now + wait;
        run.dirty.insert(command_n);
        self.rearm(run, command_n);
    }

    /// An attempt failed: another follows, or the activity has ended.
    pub(crate) fn attempt_failed(
        &mut self,
        run: &mut Run,
        command_n: u64,
        failure: Failure,
        received_at: Timestamp,
        now: Timestamp,
    ) {
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        let Some(asked) = activity.schedule.clone() else {
            return;
        };
        if let Some(until) = retry::closes_rates_until(&failure, now) {
            let limits = &asked.options.rate_limits;
            self.slots.rate_limits.close(limits, until);
            self.slots.take_marks(run);
        }
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        let failed = FailedAttempt {
            policy: &asked.options.retry_policy,
            attempt: activity.attempt,
            failure: &failure,
            cancel_requested: activity.cancel_requested,
            closes_at: timeouts::closes_at(activity),
        };
        match retry::decide(&failed, now, &mut self.random) {
            Verdict::GiveUp(retry_state) => {
                let attempt = activity.attempts_begun();
                let event = Event::ActivityFailed {
                    command_n,
                    attempt,
                    failure,
                    retry_state,
                };
                self.report_end(run, command_n, event, received_at);
            }
            Verdict::RetryAt(again_at) if is_soon(asked.options.local, &failure, again_at, now) => {
                activity.last_failure = Some(Box::new(failure));
                activity.failed_unrecorded = true;
                activity.stage = Stage::Backoff;
                activity.stage_at = again_at;
                activity.refusals = 0;
                self.rearm(run, command_n);
            }
            Verdict::RetryAt(next_attempt_at) => {
                activity.failed_unrecorded = false;
                let mut event = Event::ActivityAttemptFailed {
                    command_n,
                    attempt: activity.attempt,
                    failure: failure.clone(),
                    next_attempt_at,
                    heartbeat_details: activity.heartbeat_details.clone(),
                };
                if let Some(why) = self.options.seal.refuses(&event) {
                    event = without_details(event, &why);
                }
                run.attempt_failures
                    .push(Pending::internal(event, received_at));
                activity.last_failure = Some(Box::new(failure));
                activity.stage = Stage::Backoff;
                activity.stage_at = next_attempt_at;
                activity.refusals = 0;
                run.dirty.insert(command_n);
                self.rearm(run, command_n);
            }
        }
    }

    /// The earliest deadline of an activity has passed.
    pub(crate) fn activity_due(&mut self, run: &mut Run, command_n: u64, now: Timestamp) {
        let claim_timeout = self.options.claim_timeout;
        let Some(activity) = run.activities.get_mut(&command_n) else {
            return;
        };
        activity.key = None;
        let (at, deadline) = timeouts::earliest(activity, claim_timeout);
        if at > now {
            return self.rearm(run, command_n);
        }
        match deadline {
            Deadline::NextAttempt => {
                activity.attempt += 1;
                self.make_ready(run, command_n, now);
            }
            Deadline::HandAgain => self.make_ready(run, command_n, now),
            Deadline::RepeatCancel => {
                activity.cancel_told_at = now;
                self.rearm(run, command_n);
                if let Some(task) = self.handed_task(run, command_n) {
                    self.tell_cancel(task);
                }
            }
            Deadline::Unclaimed => {
                let task = TaskId {
                    run: run.id,
                    n: command_n,
                    attempt: activity.attempt,
                };
                self.slots.release(&task);
                self.attempt_failed(run, command_n, worker_lost(), at, now);
            }
            Deadline::Timeout(kind) => self.timed_out(run, command_n, kind, at, now),
        }
    }

    fn timed_out(
        &mut self,
        run: &mut Run,
        command_n: u64,
        kind: TimeoutKind,
        at: Timestamp,
        now: Timestamp,
    ) {
        let Some(activity) = run.activities.get(&command_n) else {
            return;
        };
        let cause = match kind {
            TimeoutKind::ScheduleToClose => activity.last_failure.as_deref().cloned(),
            _ => None,
        };
        let failure = timeouts::failure(kind, activity.heartbeat_details.clone(), cause);
        if activity.is_handed() {
            let task = TaskId {
                run: run.id,
                n: command_n,
                attempt: activity.attempt,
            };
            let is_local = activity.route.is_local();
            self.give_up_slot(task, is_local, now);
            self.tell_cancel(task);
        }
        self.attempt_failed(run, command_n, failure, at, now);
    }
}

impl Context {
    /// Nobody waits for a task any more whose worker may be at work on it: a worker that is lost
    /// never gives the slot back.
    pub(crate) fn give_up_slot(&mut self, task: TaskId, is_local: bool, now: Timestamp) {
        if !is_local && let Some(held) = self.slots.held_mut(&task) {
            held.abandoned = self
                .wheel
                .arm(now + ABANDONED_AFTER, Due::Abandoned { task });
        }
    }
}

/// Whether a local activity is tried again so soon that no record says so. A lost attempt always
/// leaves one, since it counts over crashes.
fn is_soon(
    local: Option<LocalOptions>,
    failure: &Failure,
    again_at: Timestamp,
    now: Timestamp,
) -> bool {
    local.is_some_and(|local| again_at.since(now) <= local.retry_threshold)
        && !matches!(failure.kind, FailureKind::WorkerLost)
}

/// The failure of an attempt whose worker is gone.
pub(crate) fn worker_lost() -> Failure {
    Failure {
        kind: FailureKind::WorkerLost,
        message: "the worker was lost while it held the task".to_owned(),
        stack: String::new(),
        cause: None,
    }
}

/// A failed attempt as it can be stored when the codec refuses its details: no code sees them, and
/// the next attempt must not wait for them.
fn without_details(event: Event, why: &str) -> Event {
    match event {
        Event::ActivityAttemptFailed {
            command_n,
            attempt,
            failure,
            next_attempt_at,
            ..
        } => Event::ActivityAttemptFailed {
            command_n,
            attempt,
            failure: Failure {
                kind: bare(failure.kind),
                message: format!("{} (details left out: {why})", failure.message),
                stack: failure.stack,
                cause: None,
            },
            next_attempt_at,
            heartbeat_details: None,
        },
        other => other,
    }
}

fn bare(mut kind: FailureKind) -> FailureKind {
    match &mut kind {
        FailureKind::Application { details, .. } | FailureKind::Cancelled { details } => {
            *details = None;
        }
        FailureKind::Timeout {
            last_heartbeat_details,
            ..
        } => *last_heartbeat_details = None,
        _ => {}
    }
    kind
}
