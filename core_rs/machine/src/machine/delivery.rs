//! Delivery: moving recorded and queued events into the state, one at a time.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::mem;

use perdure_history::{Command, Event, Record, RecordBody, RunReset, Timestamp};

use super::{Checkpoint, Delivering, Machine};
use crate::effect::ClosedStatus;
use crate::operations::activity::{self, Outcome};
use crate::operations::external::External;
use crate::operations::run::RunState;
use crate::operations::{Misfit, Operations, child, external, reset, timer, update};
use crate::{Activation, DropReason, Effect, MachineError};

impl Machine {
    pub(super) fn deliver_recorded(&mut self) -> Result<Option<Activation>, MachineError> {
        // Out of the way of the state that the event changes; it is put back below.
        let mut history = mem::take(&mut self.history);
        let delivered = match history.get_mut(self.cursor) {
            Some(Record {
                n,
                at,
                body: RecordBody::Event(event),
            }) => {
                self.cursor += 1;
                self.position = *n;
                self.value_bytes += event.value_bytes();
                self.now = *at;
                self.delivering = Delivering::Recorded;
                self.apply_event(*n, event, false)
            }
            _ => Ok(None),
        };
        self.history = history;
        let n = self.position;
        match delivered {
            Ok(activation) => Ok(activation),
            Err(Misfit::NotOpen { command_n }) if self.operations.was_taken_back(command_n) => {
                Ok(None)
            }
            Err(Misfit::NotOpen { command_n }) => Err(MachineError::Contradiction { n, command_n }),
            Err(Misfit::Start | Misfit::RunClosed) => {
                let command_n = if let RunState::Closed { n, .. } = self.state {
                    n
                } else {
                    1
                };
                Err(MachineError::Contradiction { n, command_n })
            }
        }
    }

    pub(super) fn deliver_queued(&mut self, at: Timestamp) -> Option<Activation> {
        let event = self.queue.pop_front()?;
        self.checkpoint = Some(Checkpoint {
            records: self.turn.records.len(),
            effects: self.turn.effects.len(),
            position: self.position,
            value_bytes: self.value_bytes,
            now: self.now,
            state: self.state,
        });
        self.operations.checkpoint();
        let n = self.position + 1;
        match self.apply_event(n, &mut event.clone(), true) {
            Ok(activation) => {
                self.delivering = Delivering::Live;
                self.position = n;
                self.value_bytes += event.value_bytes();
                self.now = self.now.max(at);
                self.turn.records.push(Record {
                    n,
                    at: self.now,
                    body: RecordBody::Event(event),
                });
                activation
            }
            Err(misfit) => {
                let reason = match misfit {
                    Misfit::RunClosed => DropReason::RunClosed,
                    Misfit::Start => DropReason::Start,
                    Misfit::NotOpen { command_n } => DropReason::NotOpen { command_n },
                };
                self.turn.effects.push(Effect::EventDropped {
                    event: Box::new(event),
                    reason,
                });
                // Nothing of it is delivered, so a later cut must not take it back.
                self.checkpoint = None;
                None
            }
        }
    }

    /// Moves the state by an event that is, or is to be, record `n`. What the activation needs is
    /// taken out of the event.
    fn apply_event(
        &mut self,
        n: u64,
        event: &mut Event,
        live: bool,
    ) -> Result<Option<Activation>, Misfit> {
        if let Event::RunStarted(started) = event {
            self.state.start()?;
            self.started = Some(Arc::clone(started));
            return Ok(Some(Activation::Start(Arc::clone(started))));
        }
        self.state.expect_open()?;
        let operations = &mut self.operations;
        let effects = live.then_some(&mut self.turn.effects);
        let activation = match event {
            Event::ActivityCompleted {
                command_n, result, ..
            } => {
                let outcome = Outcome::Completed(mem::take(result));
                activity::complete(operations, *command_n, outcome, effects)?
            }
            Event::ActivityFailed {
                command_n,
                attempt,
                failure,
                retry_state,
            } => {
                let outcome = Outcome::Failed {
                    attempt: *attempt,
                    failure: failure.take(),
                    retry_state: *retry_state,
                };
                activity::complete(operations, *command_n, outcome, effects)?
            }
            Event::ActivityCancelled {
                command_n,
                attempt,
                details,
            } => {
                let outcome = Outcome::Cancelled {
                    attempt: *attempt,
                    details: details.take(),
                };
                activity::complete(operations, *command_n, outcome, effects)?
            }
            Event::ActivityAttemptFailed { command_n, .. } => {
                activity::attempt_failed(operations, *command_n)?;
                return Ok(None);
            }
            Event::TimerFired { command_n } => timer::fire(operations, *command_n, effects)?,
            Event::SignalReceived {
                name, arguments, ..
            } => Activation::Signal {
                name: mem::take(name),
                arguments: mem::take(arguments),
            },
            Event::UpdateAccepted {
                message_id,
                name,
                arguments,
            } => update::accept(operations, n, message_id, name, arguments, effects),
            Event::CancelRequested { reason, .. } => Activation::RequestCancel {
                reason: mem::take(reason),
            },
            Event::RunTerminated { .. } => return self.end(n, ClosedStatus::Terminated, live),
            Event::RunTimedOut => return self.end(n, ClosedStatus::TimedOut, live),
            Event::RunReset(reset) => return Ok(self.pass_reset(reset)),
            of_others => return deliver_of_others(operations, of_others),
        };
        Ok(Some(activation))
    }

    /// Moves the state by a command that is, or is to be, record `n`.
    pub(super) fn apply_command(
        &mut self,
        n: u64,
        command: &Command,
        live: bool,
    ) -> Result<(), Misfit> {
        let operations = &mut self.operations;
        let effects = live.then_some(&mut self.turn.effects);
        match command {
            Command::ScheduleActivity(scheduled) => {
                activity::schedule(operations, n, Arc::clone(scheduled), effects);
                Ok(())
            }
            Command::StartTimer { fire_at, site } => {
                timer::start(operations, n, *fire_at, Arc::clone(site), effects);
                Ok(())
            }
            Command::CancelActivity { command_n } => {
                activity::cancel(operations, *command_n, effects)
            }
            Command::CancelTimer { command_n } => timer::cancel(operations, *command_n, effects),
            Command::StartChild(asked) => {
                child::start(operations, n, Arc::clone(asked), effects);
                Ok(())
            }
            Command::CancelChild { command_n } => child::cancel(operations, n, *command_n, effects),
            Command::SignalExternal(signal) => {
                let message = External::Signal(Arc::clone(signal));
                external::send(operations, n, message, effects);
                Ok(())
            }
            Command::CancelExternal(cancel) => {
                let message = External::Cancel(Arc::clone(cancel));
                external::send(operations, n, message, effects);
                Ok(())
            }
            Command::CompleteUpdate { event_n, result } => update::end(
                operations,
                *event_n,
                || Box::new(Ok(result.clone())),
                effects,
            ),
            Command::FailUpdate { event_n, failure } => update::end(
                operations,
                *event_n,
                || Box::new(Err(failure.clone())),
                effects,
            ),
            Command::CompleteRun { .. } => self.close(n, ClosedStatus::Completed, live),
            Command::FailRun { .. } => self.close(n, ClosedStatus::Failed, live),
            Command::CancelRun { .. } => self.close(n, ClosedStatus::Cancelled, live),
            Command::ContinueAsNew(_) => self.close(n, ClosedStatus::ContinuedAsNew, live),
            _ => Ok(()),
        }
    }

    fn pass_reset(&mut self, reset: &RunReset) -> Option<Activation> {
        reset::pass(&mut self.former, self.run, &mut self.started, reset)
    }

    /// The run ends from outside: its code sees nothing of it.
    fn end(
        &mut self,
        n: u64,
        status: ClosedStatus,
        live: bool,
    ) -> Result<Option<Activation>, Misfit> {
        self.close(n, status, live)?;
        Ok(None)
    }

    fn close(&mut self, n: u64, status: ClosedStatus, live: bool) -> Result<(), Misfit> {
        self.state.close(n, status)?;
        if live {
            self.turn.effects.push(Effect::CloseRun { status });
        }
        Ok(())
    }
}

/// What came of a child, or of a message to another run.
fn deliver_of_others(
    operations: &mut Operations,
    event: &mut Event,
) -> Result<Option<Activation>, Misfit> {
    let activation = match event {
        Event::ChildStarted { command_n } => child::started(operations, *command_n)?,
        Event::ChildCompleted { command_n, result } => {
            child::end(operations, *command_n, Ok(mem::take(result)))?
        }
        Event::ChildFailed { command_n, failure } => {
            child::end(operations, *command_n, Err(failure.take()))?
        }
        Event::ChildCancelled { command_n, details } => {
            let cause = child::cancelled(details.take());
            child::end(operations, *command_n, Err(cause))?
        }
        Event::ExternalSignalDelivered { command_n }
        | Event::ExternalCancelDelivered { command_n } => {
            external::answer(operations, *command_n, Ok(()))?
        }
        Event::ExternalSignalFailed { command_n, failure }
        | Event::ExternalCancelFailed { command_n, failure } => {
            external::answer(operations, *command_n, Err(failure.take()))?
        }
        // `VersionChanged`, and whatever a later version records for people alone.
        _ => return Ok(None),
    };
    Ok(Some(activation))
}
