//! What the machine tells the engine: the consequences of one turn, to be performed only after the
//! turn is durable.

use perdure_history::Timestamp;

/// One consequence of a turn. The numbers are those of commands in the turn's records.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// A new activity is outstanding.
    ScheduleActivity {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// An outstanding activity is to be cancelled.
    CancelActivity {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// A new timer is outstanding.
    StartTimer {
        /// The number of the starting command.
        command_n: u64,
        /// When it is due.
        fire_at: Timestamp,
    },
    /// An outstanding timer was taken back.
    CancelTimer {
        /// The number of the starting command.
        command_n: u64,
    },
    /// An outstanding activity is completed: it leaves the index.
    ActivityClosed {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// A timer has fired: it leaves the index.
    TimerClosed {
        /// The number of the starting command.
        command_n: u64,
    },
    /// The run is closed.
    CloseRun {
        /// How.
        status: ClosedStatus,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClosedStatus {
    /// It returned.
    Completed,
    /// It raised a failure.
    Failed,
    /// It ended because it was cancelled.
    Cancelled,
    /// It was ended from outside without running its code.
    Terminated,
    /// It took longer than its run timeout.
    TimedOut,
}
