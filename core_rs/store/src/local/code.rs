//! The numbers that stand in the database for the words of the store. Never reused.

use crate::append::{OutstandingKind, RunStatus};

/// The code of a status.
pub(crate) const fn of_status(status: RunStatus) -> i64 {
    match status {
        RunStatus::Running => 0,
        RunStatus::Parked => 1,
        RunStatus::Completed => 2,
        RunStatus::Failed => 3,
        RunStatus::Cancelled => 4,
        RunStatus::Terminated => 5,
        RunStatus::TimedOut => 6,
        RunStatus::ContinuedAsNew => 7,
        RunStatus::Paused => 8,
    }
}

/// The status of a code.
pub(crate) const fn to_status(code: i64) -> Option<RunStatus> {
    Some(match code {
        0 => RunStatus::Running,
        1 => RunStatus::Parked,
        2 => RunStatus::Completed,
        3 => RunStatus::Failed,
        4 => RunStatus::Cancelled,
        5 => RunStatus::Terminated,
        6 => RunStatus::TimedOut,
        7 => RunStatus::ContinuedAsNew,
        8 => RunStatus::Paused,
        _ => return None,
    })
}

/// The code of a sort of outstanding work; 0 is a run's head.
pub(crate) const fn of_kind(kind: OutstandingKind) -> i64 {
    match kind {
        OutstandingKind::Activity => 1,
        OutstandingKind::Timer => 2,
    }
}

/// The sort of outstanding work of a code.
pub(crate) const fn to_kind(code: i64) -> Option<OutstandingKind> {
    match code {
        1 => Some(OutstandingKind::Activity),
        2 => Some(OutstandingKind::Timer),
        _ => None,
    }
}
