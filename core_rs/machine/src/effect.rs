//! What the machine tells the engine: the consequences of one turn, to be performed only after the
//! turn is durable.

use alloc::boxed::Box;

use perdure_history::{Event, Failure, MessageId, Payload, Timestamp};

/// One consequence of a turn. The numbers are those of commands in the turn's records.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// A new activity is outstanding.
    ScheduleActivity {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// The worker of an outstanding activity is to be told to stop. The activity stays outstanding
    /// until its completion, unless [`Effect::ActivityClosed`] follows.
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
    /// An outstanding timer was taken back: it leaves the index.
    CancelTimer {
        /// The number of the starting command.
        command_n: u64,
    },
    /// An outstanding activity is completed, or its call was taken back: it leaves the index, and
    /// is not attempted again.
    ActivityClosed {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// A timer has fired: it leaves the index.
    TimerClosed {
        /// The number of the starting command.
        command_n: u64,
    },
    /// Another run is asked for something: the command says what. It is asked again after a crash
    /// until the answer is recorded.
    Ask {
        /// The number of the asking command.
        command_n: u64,
    },
    /// An update is accepted: who waits for that is to be told.
    UpdateAccepted {
        /// The update's id.
        message_id: MessageId,
    },
    /// An update's validator refused it. Nothing of it is recorded, so that the same id may come
    /// again.
    UpdateRejected {
        /// The update's id.
        message_id: MessageId,
        /// Why.
        failure: Box<Failure>,
    },
    /// An update's handler has ended: who waits for its result is to be told.
    UpdateEnded {
        /// The update's id.
        message_id: MessageId,
        /// What it returned, or why not.
        outcome: Box<Result<Payload, Failure>>,
    },
    /// The run is closed: everything outstanding leaves the index, and workers that hold a task of
    /// the run are told to stop.
    CloseRun {
        /// How.
        status: ClosedStatus,
    },
    /// A queued event no longer fitted and was not recorded: its sender may want to be told.
    EventDropped {
        /// The event.
        event: Box<Event>,
        /// Why.
        reason: DropReason,
    },
}

/// Why an event was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The run was closed before it.
    RunClosed,
    /// The run has begun already, or not yet.
    Start,
    /// The command it speaks of is not open: completed already, taken back, or never issued.
    NotOpen {
        /// The command.
        command_n: u64,
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
    /// It goes on in another run.
    ContinuedAsNew,
}
