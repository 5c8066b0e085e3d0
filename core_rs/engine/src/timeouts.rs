//! The earliest deadline of an activity, and which of its clocks set it.

use std::time::Duration;

use perdure_history::{Failure, FailureKind, Payload, TimeoutKind, Timestamp};

use crate::activity::{Activity, Stage};

/// How often a cancel is told again to a worker that has not answered.
pub(crate) const CANCEL_REPEAT: Duration = Duration::from_secs(2);

/// What happens to an activity when its earliest deadline passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// One of the four timeouts passes.
    Timeout(TimeoutKind),
    /// The wait before the next attempt is over.
    NextAttempt,
    /// The wait before handing the same attempt out again is over.
    HandAgain,
    /// After a restart, nobody claimed the task in time.
    Unclaimed,
    /// The cancel is told again.
    RepeatCancel,
}

/// The earliest deadline; `NEVER` when there is none.
pub(crate) fn earliest(activity: &Activity, claim_timeout: Duration) -> (Timestamp, Deadline) {
    let Some(schedule) = &activity.schedule else {
        return match activity.stage {
            Stage::Unclaimed => (activity.heard_at + claim_timeout, Deadline::Unclaimed),
            _ => (Timestamp::NEVER, Deadline::NextAttempt),
        };
    };
    let options = &schedule.options;
    let after = |from: Timestamp, span: Option<Duration>| match span {
        Some(span) => from + span,
        None => Timestamp::NEVER,
    };
    let own = match activity.stage {
        Stage::Reported => return (Timestamp::NEVER, Deadline::NextAttempt),
        Stage::Backoff => (activity.stage_at, Deadline::NextAttempt),
        Stage::NotStarted => (activity.stage_at, Deadline::HandAgain),
        Stage::Unclaimed => (activity.heard_at + claim_timeout, Deadline::Unclaimed),
        Stage::Queued | Stage::Reserved => (Timestamp::NEVER, Deadline::HandAgain),
        Stage::Handed | Stage::Started | Stage::Detached => {
            let close = after(activity.stage_at, options.start_to_close_timeout);
            let silence = after(activity.heard_at, options.heartbeat_timeout);
            if silence < close {
                (silence, Deadline::Timeout(TimeoutKind::Heartbeat))
            } else {
                (close, Deadline::Timeout(TimeoutKind::StartToClose))
            }
        }
    };
    let begun = matches!(
        activity.stage,
        Stage::Started | Stage::Backoff | Stage::Detached
    ) || (activity.stage == Stage::Handed && activity.route.is_local());
    let to_start = match options.schedule_to_start_timeout {
        Some(span) if !begun && activity.attempt == 1 => activity.scheduled_at + span,
        _ => Timestamp::NEVER,
    };
    // Of a detached attempt, who reports its progress is told then.
    let told = activity.is_handed() && activity.stage != Stage::Detached;
    let repeat = if activity.cancel_requested && told {
        activity.cancel_told_at + CANCEL_REPEAT
    } else {
        Timestamp::NEVER
    };
    [
        (
            closes_at(activity),
            Deadline::Timeout(TimeoutKind::ScheduleToClose),
        ),
        (to_start, Deadline::Timeout(TimeoutKind::ScheduleToStart)),
        own,
        (repeat, Deadline::RepeatCancel),
    ]
    .into_iter()
    .min_by_key(|(at, _)| *at)
    .unwrap_or(own)
}

/// When schedule-to-close passes.
pub(crate) fn closes_at(activity: &Activity) -> Timestamp {
    let span = activity
        .schedule
        .as_ref()
        .and_then(|s| s.options.schedule_to_close_timeout);
    span.map_or(Timestamp::NEVER, |span| activity.scheduled_at + span)
}

/// When the attempt being handed out must be over, for its worker.
pub(crate) fn attempt_deadline(activity: &Activity) -> Timestamp {
    let span = activity
        .schedule
        .as_ref()
        .and_then(|s| s.options.start_to_close_timeout);
    let own = span.map_or(Timestamp::NEVER, |span| activity.stage_at + span);
    own.min(closes_at(activity))
}

/// The failure that a passed timeout is recorded as.
pub(crate) fn failure(
    kind: TimeoutKind,
    details: Option<Payload>,
    cause: Option<Failure>,
) -> Failure {
    let what = match kind {
        TimeoutKind::ScheduleToStart => "no worker began it in time",
        TimeoutKind::StartToClose => "the attempt took too long",
        TimeoutKind::ScheduleToClose => "it took too long in all",
        TimeoutKind::Heartbeat => "its worker was silent for too long",
        _ => "the run took too long",
    };
    Failure {
        kind: FailureKind::Timeout {
            kind,
            last_heartbeat_details: details,
        },
        message: what.to_owned(),
        stack: String::new(),
        cause: cause.map(Box::new),
    }
}
