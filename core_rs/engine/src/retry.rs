//! Whether an attempt that failed is followed by another, and when.

use std::time::Duration;

use perdure_history::{Failure, FailureKind, RetryPolicy, RetryState, TimeoutKind, Timestamp};

use crate::random::Random;

/// The type of an application failure by which an attempt says that a limit was reached, in every
/// language; its delay says until when.
const RATE_LIMITED: &str = "RateLimitedError";

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another attempt, not before this instant.
    RetryAt(Timestamp),
    /// No other attempt.
    GiveUp(RetryState),
}

/// What the decision is about.
#[derive(Debug)]
pub(crate) struct FailedAttempt<'a> {
    pub(crate) policy: &'a RetryPolicy,
    pub(crate) attempt: u32,
    pub(crate) failure: &'a Failure,
    pub(crate) cancel_requested: bool,
    /// When schedule-to-close passes; `NEVER` when nothing limits the activity.
    pub(crate) closes_at: Timestamp,
}

/// Decides what follows an attempt that failed at `now`.
pub(crate) fn decide(failed: &FailedAttempt<'_>, now: Timestamp, random: &mut Random) -> Verdict {
    if failed.cancel_requested {
        return Verdict::GiveUp(RetryState::CancelRequested);
    }
    if let Some(state) = forbidden_by(failed.failure, failed.policy) {
        return Verdict::GiveUp(state);
    }
    let policy = failed.policy;
    if policy.maximum_attempts > 0 && failed.attempt >= policy.maximum_attempts {
        return Verdict::GiveUp(RetryState::MaximumAttemptsReached);
    }
    let wait = asked_delay(failed.failure)
        .unwrap_or_else(|| jittered(backoff(policy, failed.attempt), policy.jitter, random));
    let next_attempt_at = now + wait;
    // C6: a wait that ends too late is not waited for.
    if failed.closes_at != Timestamp::NEVER && next_attempt_at >= failed.closes_at {
        return Verdict::GiveUp(RetryState::TimedOut);
    }
    Verdict::RetryAt(next_attempt_at)
}

fn forbidden_by(failure: &Failure, policy: &RetryPolicy) -> Option<RetryState> {
    match &failure.kind {
        FailureKind::Application {
            type_name,
            non_retryable,
            ..
        } => {
            let listed = policy
                .non_retryable_error_types
                .iter()
                .any(|name| name == type_name);
            (*non_retryable || listed).then_some(RetryState::NonRetryable)
        }
        FailureKind::Timeout {
            kind: TimeoutKind::ScheduleToClose,
            ..
        } => Some(RetryState::TimedOut),
        FailureKind::Timeout {
            kind: TimeoutKind::ScheduleToStart,
            ..
        } => Some(RetryState::NonRetryable),
        _ => None,
    }
}

/// Until when nothing more is to be asked of what the attempt shares with others: whoever refused
/// it has said so.
pub(crate) fn closes_rates_until(failure: &Failure, now: Timestamp) -> Option<Timestamp> {
    match &failure.kind {
        FailureKind::Application {
            type_name,
            next_retry_delay,
            ..
        } if type_name == RATE_LIMITED => next_retry_delay.map(|delay| now + delay),
        _ => None,
    }
}

fn asked_delay(failure: &Failure) -> Option<Duration> {
    match &failure.kind {
        FailureKind::Application {
            next_retry_delay, ..
        } => *next_retry_delay,
        _ => None,
    }
}

/// C1: min(initial · coefficient^(k − 1), maximum).
fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
    let factor = policy.backoff_coefficient.max(1.0).powi(exponent);
    let seconds = policy.initial_interval.as_secs_f64() * factor;
    Duration::try_from_secs_f64(seconds)
        .unwrap_or(policy.maximum_interval)
        .min(policy.maximum_interval)
}

fn jittered(wait: Duration, jitter: f64, random: &mut Random) -> Duration {
    let share = random.signed_share() * jitter.clamp(0.0, 1.0);
    Duration::try_from_secs_f64(wait.as_secs_f64() * (1.0 + share)).unwrap_or(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy {
            jitter: 0.0,
            ..RetryPolicy::default()
        }
    }

    fn application(type_name: &str, non_retryable: bool, delay: Option<Duration>) -> Failure {
        Failure {
            kind: FailureKind::Application {
                type_name: type_name.to_owned(),
                details: None,
                non_retryable,
                next_retry_delay: delay,
            },
            message: String::new(),
            stack: String::new(),
            cause: None,
        }
    }

    fn verdict(policy: &RetryPolicy, attempt: u32, failure: &Failure, closes_at: i64) -> Verdict {
        let failed = FailedAttempt {
            policy,
            attempt,
            failure,
            cancel_requested: false,
            closes_at: Timestamp::from_micros(closes_at),
        };
        decide(&failed, Timestamp::from_micros(0), &mut Random::new(1))
    }

    fn after(seconds: i64) -> Verdict {
        Verdict::RetryAt(Timestamp::from_micros(seconds * 1_000_000))
    }

    #[test]
    fn c1_waits_grow_by_the_coefficient_up_to_the_maximum() {
        let failure = application("E", false, None);
        for (attempt, seconds) in [(1, 1), (2, 2), (3, 4), (7, 64), (8, 100), (4_000_000, 100)] {
            assert_eq!(
                verdict(&policy(), attempt, &failure, i64::MAX),
                after(seconds)
            );
        }
    }

    #[test]
    fn c2_a_coefficient_of_one_keeps_the_interval() {
        let constant = RetryPolicy {
            backoff_coefficient: 1.0,
            ..policy()
        };
        assert_eq!(
            verdict(&constant, 9, &application("E", false, None), i64::MAX),
            after(1)
        );
    }

    #[test]
    fn c3_maximum_attempts_of_one_is_no_retry_and_zero_no_limit() {
        let failure = application("E", false, None);
        let once = RetryPolicy {
            maximum_attempts: 1,
            ..policy()
        };
        let reached = Verdict::GiveUp(RetryState::MaximumAttemptsReached);
        assert_eq!(verdict(&once, 1, &failure, i64::MAX), reached);
        assert_eq!(verdict(&policy(), 1_000, &failure, i64::MAX), after(100));
    }

    #[test]
    fn c4_c5_the_flag_and_the_listed_types_beat_the_policy() {
        let forbidden = Verdict::GiveUp(RetryState::NonRetryable);
        assert_eq!(
            verdict(&policy(), 1, &application("E", true, None), i64::MAX),
            forbidden
        );
        let names = vec!["parse.Error".to_owned()];
        let listed = RetryPolicy {
            non_retryable_error_types: names,
            ..policy()
        };
        let failure = application("parse.Error", false, None);
        assert_eq!(verdict(&listed, 1, &failure, i64::MAX), forbidden);
        assert_eq!(
            verdict(&listed, 1, &application("Other", false, None), i64::MAX),
            after(1)
        );
    }

    #[test]
    fn c6_a_wait_that_ends_after_schedule_to_close_is_not_waited_for() {
        let failure = application("E", false, None);
        let timed_out = Verdict::GiveUp(RetryState::TimedOut);
        assert_eq!(verdict(&policy(), 1, &failure, 1_000_000), timed_out);
        assert_eq!(verdict(&policy(), 1, &failure, 1_000_001), after(1));
    }

    #[test]
    fn the_raiser_may_ask_for_its_own_delay() {
        let failure = application("E", false, Some(Duration::from_secs(7)));
        assert_eq!(verdict(&policy(), 3, &failure, i64::MAX), after(7));
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let mut random = Random::new(3);
        let waits: Vec<_> = (0..100)
            .map(|_| jittered(Duration::from_secs(10), 0.1, &mut random))
            .collect();
        assert!(
            waits
                .iter()
                .all(|wait| (9_000..=11_000).contains(&wait.as_millis()))
        );
        assert!(waits.iter().any(|wait| wait.as_millis() < 9_500));
        assert!(waits.iter().any(|wait| wait.as_millis() > 10_500));
    }
}
