//! Submission: commands are recorded while live, and checked against history while replaying.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::mem;

use perdure_history::{CancellationType, Command, Digest, Payload, Record, RecordBody, Timestamp};

use super::{Delivering, Machine};
use crate::compare::{self, Comparison};
use crate::operations::run::RunState;
use crate::{MachineError, Mismatch};

/// What became of a submitted command.
#[derive(Clone, Debug, PartialEq)]
pub enum Submitted {
    /// It has number `n`: newly recorded, or equal to what history has at `n`.
    Accepted {
        /// The command's number.
        n: u64,
    },
    /// The same request with other bytes (the arguments of a call, or the result of the run).
    /// Decode both with today's types: if equal, call [`Machine::accept_arguments`]; else
    /// [`Machine::refuse_arguments`] gives the mismatch.
    ArgumentsDiffer {
        /// The number of the recorded command.
        n: u64,
        /// What history has.
        recorded: Payload,
    },
}

impl Machine {
    /// Records a command, or checks it against history.
    ///
    /// # Errors
    /// A [`Mismatch`] when history has another command here, or none;
    /// [`MachineError::Closed`] after the run was closed, [`MachineError::NotOpen`] when it takes
    /// back what is not open, [`MachineError::OutsideTurn`] when nothing is being delivered.
    pub fn submit(&mut self, command: Command) -> Result<Submitted, MachineError> {
        if let RunState::Closed { n, .. } = self.state {
            return Err(MachineError::Closed { n });
        }
        match self.delivering {
            Delivering::Nothing => Err(MachineError::OutsideTurn),
            Delivering::Recorded => self.check(&command),
            Delivering::Live => {
                let command = self.inherit(command);
                self.record(command)
            }
        }
    }

    /// The number of the next recorded command if it is this very activity call, which is thereby
    /// accepted: the fast way of replay, for which no command need be built. `None` says only that
    /// [`Machine::submit`] must be asked.
    pub fn replay_activity(
        &mut self,
        name: &str,
        service: Option<&str>,
        digest: Digest,
        cancellation_type: CancellationType,
    ) -> Option<u64> {
        match self.expected_command()? {
            Command::ScheduleActivity(recorded)
                if recorded.digest == digest
                    && &*recorded.name == name
                    && recorded.service.as_deref() == service
                    && recorded.options.cancellation_type == cancellation_type =>
            {
                self.accept().ok()
            }
            _ => None,
        }
    }

    /// As [`Machine::replay_activity`], for a timer; also gives when the recorded one is due.
    pub fn replay_timer(&mut self) -> Option<(u64, Timestamp)> {
        match self.expected_command()? {
            Command::StartTimer { fire_at, .. } => {
                let fire_at = *fire_at;
                self.accept().ok().map(|n| (n, fire_at))
            }
            _ => None,
        }
    }

    /// Accepts the recorded arguments after [`Submitted::ArgumentsDiffer`]; else does nothing.
    pub fn accept_arguments(&mut self) {
        if self.awaits_verdict {
            // A command whose payload was compared opens or closes something new, so it fits.
            let accepted = self.accept();
            debug_assert!(accepted.is_ok(), "{accepted:?}");
        }
    }

    /// Refuses them: the mismatch to report.
    pub fn refuse_arguments(&mut self, command: Command) -> MachineError {
        self.awaits_verdict = false;
        self.mismatch(&command)
    }

    /// The recorded command that the code is expected to issue next.
    pub(super) fn expected_command(&self) -> Option<&Command> {
        let replays = self.delivering == Delivering::Recorded
            && !matches!(self.state, RunState::Closed { .. });
        match self.history.get(self.cursor) {
            Some(Record {
                body: RecordBody::Command(command),
                ..
            }) if replays => Some(command),
            _ => None,
        }
    }

    fn check(&mut self, asked: &Command) -> Result<Submitted, MachineError> {
        self.awaits_verdict = false;
        self.pass_deprecated_patches(Some(asked));
        let n = self.position + 1;
        match self
            .expected_command()
            .map(|recorded| compare::compare(recorded, asked))
        {
            Some(Comparison::Equal) => self.accept().map(|n| Submitted::Accepted { n }),
            Some(Comparison::PayloadDiffers(recorded)) => {
                let recorded = recorded.clone();
                self.awaits_verdict = true;
                Ok(Submitted::ArgumentsDiffer { n, recorded })
            }
            Some(Comparison::Differs) | None => Err(self.mismatch(asked)),
        }
    }

    /// Takes the command at the front of history as asked for.
    pub(super) fn accept(&mut self) -> Result<u64, MachineError> {
        self.awaits_verdict = false;
        // Out of the way of the state that the command changes; it is put back below.
        let history = mem::take(&mut self.history);
        let accepted = match history.get(self.cursor) {
            Some(Record {
                n,
                body: RecordBody::Command(command),
                ..
            }) => {
                self.cursor += 1;
                self.position = *n;
                self.value_bytes += command.value_bytes();
                let applied = self.apply_command(*n, command, false);
                applied.map_err(|misfit| MachineError::Contradiction {
                    n: *n,
                    command_n: misfit.command_n(),
                })
            }
            _ => Err(MachineError::OutsideTurn),
        };
        self.history = history;
        accepted.map(|()| self.position)
    }

    fn mismatch(&self, asked: &Command) -> MachineError {
        let n = self.position + 1;
        let mismatch = match self.expected_command() {
            Some(recorded) => Mismatch::CommandDiffers {
                n,
                fields: compare::differences(recorded, asked),
                recorded: Box::new(recorded.clone()),
                asked: Box::new(asked.clone()),
            },
            None => Mismatch::CommandExtra {
                n,
                asked: Box::new(asked.clone()),
            },
        };
        mismatch.into()
    }

    fn record(&mut self, command: Command) -> Result<Submitted, MachineError> {
        let n = self.position + 1;
        self.apply_command(n, &command, true)
            .map_err(|misfit| MachineError::NotOpen {
                command_n: misfit.command_n(),
                asked: compare::kind_of(&command).to_string(),
            })?;
        self.position = n;
        self.value_bytes += command.value_bytes();
        let body = RecordBody::Command(command);
        self.turn.records.push(Record {
            n,
            at: self.now,
            body,
        });
        Ok(Submitted::Accepted { n })
    }
}
