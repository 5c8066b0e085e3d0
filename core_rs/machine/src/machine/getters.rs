//! What can be asked of a machine.

use alloc::sync::Arc;

use perdure_history::{Command, RecordBody, RunId, RunStarted, Timestamp};

use super::{Delivering, Machine};
use crate::effect::ClosedStatus;
use crate::operations::run::RunState;
use crate::operations::{Operation, child};

/// The history length from which on a run should continue as new.
const SUGGESTED_LENGTH: u64 = 10_000;

/// The bytes of values from which on a run should continue as new.
const SUGGESTED_BYTES: usize = 10 << 20;

impl Machine {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The run in which what is being delivered was written: this one, unless that was copied from
    /// another.
    #[must_use]
    pub fn acting_run(&self) -> RunId {
        self.former.current().unwrap_or(self.run)
    }

    /// How the run began, and stands since it was reset; known once that is delivered.
    #[must_use]
    pub fn started(&self) -> Option<&Arc<RunStarted>> {
        self.started.as_ref()
    }

    /// The behaviour flags in force.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// Whether recorded history is still being delivered.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.delivering == Delivering::Recorded || self.cursor < self.history.len()
    }

    /// The run's time: when the event being delivered was recorded.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The number of the last record, committed or not, delivered or still to be replayed.
    #[must_use]
    pub fn last_n(&self) -> u64 {
        self.position.max(self.recorded_n)
    }

    /// The number of the last record that was delivered, replayed or live.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The bytes of the values in all records up to there.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        self.value_bytes
    }

    /// Whether the history has become so long, or its values so large, that the run should continue
    /// as new.
    #[must_use]
    pub fn suggests_continue_as_new(&self) -> bool {
        self.position >= SUGGESTED_LENGTH || self.value_bytes >= SUGGESTED_BYTES
    }

    /// How the run was closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<ClosedStatus> {
        match self.state {
            RunState::Closed { status, .. } => Some(status),
            RunState::Awaited | RunState::Open => None,
        }
    }

    /// The number that the next record has, and the run id and seed of the child that it starts if
    /// it is such a command.
    #[must_use]
    pub fn next_child(&self) -> (u64, RunId, u64) {
        let n = self.position + 1;
        let parent = self.acting_run();
        let run = child::run_id(parent, n, self.now);
        (n, run, child::seed(parent, n, self.now))
    }

    /// The command with number `n`, if it is open or of this turn: others are not kept.
    #[must_use]
    pub fn command(&self, n: u64) -> Option<Command> {
        let of_turn = || {
            let index = self
                .turn
                .records
                .binary_search_by_key(&n, |record| record.n)
                .ok()?;
            match &self.turn.records.get(index)?.body {
                RecordBody::Command(command) => Some(command.clone()),
                RecordBody::Event(_) => None,
            }
        };
        self.operations
            .get(n)
            .and_then(Operation::command)
            .or_else(of_turn)
    }

    /// The numbers of the commands that opened what is open, ascending.
    pub fn open_commands(&self) -> impl Iterator<Item = u64> + '_ {
        self.operations.numbers()
    }

    /// How many events are queued and not yet delivered.
    #[must_use]
    pub fn queued_events(&self) -> usize {
        self.queue.len()
    }
}
