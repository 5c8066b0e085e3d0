//! The machine of one run: methods in four families, as a sans-IO protocol has them.
//!
//! - **in**: [`Machine::handle_event`] queues a fact that is not yet recorded.
//! - **turn**: [`Machine::begin_turn`] gives the recording time; [`Machine::take_turn`] ends it.
//! - **workflow**: [`Machine::poll_activation`] gives the next thing to deliver, and is called only
//!   when the loop is idle; [`Machine::submit`] takes each command that the code then issues.
//! - **getters**.
//!
//! Order of calls for a live turn: `handle_event`…, `begin_turn(at)`, then until `None`:
//! `poll_activation`, deliver, run to idle (`submit`…); then `take_turn`. A machine made from
//! history first replays: the same `poll_activation` and `submit` calls, checked against the log.

use alloc::vec::Vec;

use perdure_history::{Command, Event, Record, RunId, Timestamp};

use crate::{Activation, Effect, Mismatch};

/// The machine of one run.
#[derive(Debug)]
pub struct Machine {
    run: RunId,
}

/// What became of a submitted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// It has number `n`: newly recorded, or equal to what history has at `n`.
    Accepted {
        /// The command's number.
        n: u64,
    },
    /// Same name and options, other digest. Decode both with today's types: if equal, call
    /// [`Machine::accept_arguments`]; else [`Machine::refuse_arguments`] gives the mismatch.
    ArgumentsDiffer {
        /// The number of the recorded command.
        n: u64,
        /// What history has.
        recorded: perdure_history::Payload,
    },
}

/// What one turn recorded and causes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedTurn {
    /// The new records, contiguous.
    pub records: Vec<Record>,
    /// What they cause, in order.
    pub effects: Vec<Effect>,
}

/// Why the machine cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The code no longer does what its history says.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// An event contradicts the state of its operation: the history or the engine is wrong.
    #[error("event {n} does not fit the state of command {command_n}")]
    Contradiction {
        /// The event's number.
        n: u64,
        /// The command it speaks of.
        command_n: u64,
    },
    /// The history has a hole or does not begin with the start of a run.
    #[error("the history is not contiguous: record {found} follows record {after}")]
    Hole {
        /// The last good number.
        after: u64,
        /// What was found.
        found: u64,
    },
    /// The workflow asked for a command after the run was closed.
    #[error("a command was submitted after the run was closed at event {n}")]
    Closed {
        /// The closing command's number.
        n: u64,
    },
}

#[expect(unused_variables, clippy::todo, reason = "signatures first; the owner fills them in")]
impl Machine {
    /// A machine for a run of which nothing is recorded yet.
    #[must_use]
    pub fn new(run: RunId, flags: u64) -> Self {
        Self { run }
    }

    /// A machine that replays `records` before anything new.
    ///
    /// # Errors
    /// [`MachineError::Hole`] when the records are not contiguous from 1.
    pub fn from_history(run: RunId, flags: u64, records: Vec<Record>) -> Result<Self, MachineError> {
        todo!()
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Queues a fact for delivery after everything queued before it.
    pub fn handle_event(&mut self, event: Event) {
        todo!()
    }

    /// Begins a live turn: everything recorded until [`Machine::take_turn`] bears `at`.
    pub fn begin_turn(&mut self, at: Timestamp) {
        todo!()
    }

    /// The next thing to deliver; `None` when replay and queue are exhausted.
    ///
    /// # Errors
    /// A [`Mismatch`] when the last event's commands were not all asked for again;
    /// [`MachineError::Contradiction`] when the next event does not fit.
    pub fn poll_activation(&mut self) -> Result<Option<Activation>, MachineError> {
        todo!()
    }

    /// Records a command, or checks it against history.
    ///
    /// # Errors
    /// A [`Mismatch`] when history has another command here, or none.
    pub fn submit(&mut self, command: Command) -> Result<Submitted, MachineError> {
        todo!()
    }

    /// Accepts the recorded arguments after [`Submitted::ArgumentsDiffer`].
    pub fn accept_arguments(&mut self) {
        todo!()
    }

    /// Refuses them: the mismatch to report.
    pub fn refuse_arguments(&mut self, command: Command) -> MachineError {
        todo!()
    }

    /// Ends the turn: its records and effects, leaving the machine ready for the next.
    pub fn take_turn(&mut self) -> RecordedTurn {
        todo!()
    }

    /// Cuts the turn before the event being delivered (a bug parked the run): that event and all
    /// queued after it come back, undelivered; what came before is kept for `take_turn`.
    pub fn cut_turn(&mut self) -> Vec<Event> {
        todo!()
    }

    /// Whether recorded history is still being delivered.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        todo!()
    }

    /// The run's time: when the event being delivered was recorded.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        todo!()
    }

    /// The number of the last record, committed or not.
    #[must_use]
    pub fn last_n(&self) -> u64 {
        todo!()
    }
}
