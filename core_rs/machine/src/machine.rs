//! The machine of one run: methods in four families, as a sans-IO protocol has them.
//!
//! - **in**: [`Machine::handle_event`] queues a fact that is not yet recorded.
//! - **turn**: [`Machine::begin_turn`] gives the recording time; [`Machine::take_turn`] ends it,
//!   [`Machine::cut_turn`] ends it before the event being delivered.
//! - **workflow**: [`Machine::poll_activation`] gives the next thing to deliver, and is called only
//!   when the loop is idle; [`Machine::submit`] takes each command that the code then issues.
//! - **getters**.
//!
//! Order of calls for a live turn: `handle_event`…, `begin_turn(at)`, then until `None`:
//! `poll_activation`, deliver, run to idle (`submit`…); then `take_turn`. A machine made from
//! history first replays: the same `poll_activation` and `submit` calls, checked against the log.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};

use perdure_history::{
    CancellationType, Command, Digest, Event, Payload, Record, RecordBody, RunId, Timestamp,
};

use crate::compare::{self, Comparison};
use crate::effect::ClosedStatus;
use crate::error::MachineError;
use crate::mismatch::Mismatch;
use crate::operations::activity::{self, Outcome};
use crate::operations::run::RunState;
use crate::operations::{Misfit, Operations, timer};
use crate::{Activation, DropReason, Effect, flags};

/// The machine of one run.
#[derive(Debug)]
pub struct Machine {
    run: RunId,
    flags: u64,
    state: RunState,
    operations: Operations,
    /// Recorded history that is not yet delivered; each record is freed as it is delivered.
    history: vec::IntoIter<Record>,
    /// The number of the last record delivered, replayed or live.
    position: u64,
    /// The number of the last record that history held when this machine was made.
    recorded_n: u64,
    now: Timestamp,
    delivering: Delivering,
    /// Whether the recorded command at the front of history awaits a verdict on its arguments.
    awaits_verdict: bool,
    queue: VecDeque<Event>,
    turn_at: Option<Timestamp>,
    turn: RecordedTurn,
    /// The state before the live event being delivered.
    checkpoint: Option<Checkpoint>,
}

/// What is being delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivering {
    Nothing,
    Recorded,
    Live,
}

/// All of the machine's state that one live event can change, but for the operations, which keep
/// their own record of changes.
#[derive(Clone, Copy, Debug)]
struct Checkpoint {
    records: usize,
    effects: usize,
    position: u64,
    now: Timestamp,
    state: RunState,
}

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

/// What one turn recorded and causes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordedTurn {
    /// The new records, contiguous.
    pub records: Vec<Record>,
    /// What they cause, in order.
    pub effects: Vec<Effect>,
}

impl Machine {
    /// A machine for a run of which nothing is recorded yet.
    #[must_use]
    pub fn new(run: RunId, flags: u64) -> Self {
        Self {
            run,
            flags,
            state: RunState::Awaited,
            operations: Operations::default(),
            history: Vec::new().into_iter(),
            position: 0,
            recorded_n: 0,
            now: Timestamp::default(),
            delivering: Delivering::Nothing,
            awaits_verdict: false,
            queue: VecDeque::new(),
            turn_at: None,
            turn: RecordedTurn::default(),
            checkpoint: None,
        }
    }

    /// A machine that replays `records` before anything new.
    ///
    /// # Errors
    /// [`MachineError::Hole`] when the records are not contiguous from 1,
    /// [`MachineError::NoStart`] when the first is not the start of a run,
    /// [`MachineError::UnknownFlags`] when a newer engine wrote them by rules unknown here.
    pub fn from_history(
        run: RunId,
        flags: u64,
        records: Vec<Record>,
    ) -> Result<Self, MachineError> {
        let unknown = flags::unknown(flags);
        if unknown != 0 {
            return Err(MachineError::UnknownFlags { flags: unknown });
        }
        if let Some((after, record)) = (0..).zip(&records).find(|(n, record)| record.n != n + 1) {
            return Err(MachineError::Hole {
                after,
                found: record.n,
            });
        }
        match records.first().map(|record| &record.body) {
            None | Some(RecordBody::Event(Event::RunStarted(_))) => {}
            Some(_) => return Err(MachineError::NoStart),
        }
        let recorded_n = records.last().map_or(0, |record| record.n);
        Ok(Self {
            history: records.into_iter(),
            recorded_n,
            ..Self::new(run, flags)
        })
    }

    /// Queues a fact for delivery after everything queued before it.
    pub fn handle_event(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// Begins a live turn: everything recorded until [`Machine::take_turn`] bears `at`, or the time
    /// of the last record when that is later: a run's time does not go back.
    pub fn begin_turn(&mut self, at: Timestamp) {
        self.turn_at = Some(at);
    }

    /// The next thing to deliver; `None` when replay and queue are exhausted.
    ///
    /// A queued event that no longer fits (a second completion, a result after the cancel, anything
    /// after the close) is not recorded: it becomes [`Effect::EventDropped`].
    ///
    /// # Errors
    /// A [`Mismatch`] when the last event's commands were not all asked for again;
    /// [`MachineError::Contradiction`] when a recorded event does not fit.
    pub fn poll_activation(&mut self) -> Result<Option<Activation>, MachineError> {
        loop {
            match self.history.as_slice().first() {
                Some(Record {
                    n,
                    body: RecordBody::Command(recorded),
                    ..
                }) => {
                    let recorded = Box::new(recorded.clone());
                    return Err(Mismatch::CommandMissing { n: *n, recorded }.into());
                }
                Some(_) => {
                    if let Some(activation) = self.deliver_recorded()? {
                        return Ok(Some(activation));
                    }
                }
                None => {
                    let (Some(at), false) = (self.turn_at, self.queue.is_empty()) else {
                        self.end_delivery();
                        return Ok(None);
                    };
                    if let Some(activation) = self.deliver_queued(at) {
                        return Ok(Some(activation));
                    }
                }
            }
        }
    }

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
            Delivering::Recorded => self.check(command),
            Delivering::Live => self.record(command),
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
        self.mismatch(command)
    }

    /// Ends the turn: its records and effects, leaving the machine ready for the next.
    pub fn take_turn(&mut self) -> RecordedTurn {
        self.end_delivery();
        self.turn_at = None;
        core::mem::take(&mut self.turn)
    }

    /// Cuts the turn before the event being delivered (a bug parked the run): that event and all
    /// queued after it come back, undelivered; what came before is kept for `take_turn`.
    pub fn cut_turn(&mut self) -> Vec<Event> {
        let mut undelivered = Vec::with_capacity(self.queue.len() + 1);
        if let Some(checkpoint) = self.checkpoint.take() {
            self.operations.restore();
            self.turn.effects.truncate(checkpoint.effects);
            let cut = self.turn.records.drain(checkpoint.records..).next();
            if let Some(Record {
                body: RecordBody::Event(event),
                ..
            }) = cut
            {
                undelivered.push(event);
            }
            self.position = checkpoint.position;
            self.now = checkpoint.now;
            self.state = checkpoint.state;
        }
        self.end_delivery();
        undelivered.extend(self.queue.drain(..));
        undelivered
    }

    fn end_delivery(&mut self) {
        self.delivering = Delivering::Nothing;
        self.awaits_verdict = false;
        self.checkpoint = None;
        self.operations.commit();
        if self.history.as_slice().is_empty() {
            self.operations.end_replay();
            self.history = Vec::new().into_iter();
        }
    }

    fn deliver_recorded(&mut self) -> Result<Option<Activation>, MachineError> {
        let Some(Record {
            n,
            at,
            body: RecordBody::Event(event),
        }) = self.history.next()
        else {
            return Ok(None);
        };
        self.position = n;
        self.now = at;
        self.delivering = Delivering::Recorded;
        match self.apply_event(n, event, false) {
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

    fn deliver_queued(&mut self, at: Timestamp) -> Option<Activation> {
        let event = self.queue.pop_front()?;
        self.checkpoint = Some(Checkpoint {
            records: self.turn.records.len(),
            effects: self.turn.effects.len(),
            position: self.position,
            now: self.now,
            state: self.state,
        });
        self.operations.checkpoint();
        let n = self.position + 1;
        match self.apply_event(n, event.clone(), true) {
            Ok(activation) => {
                self.delivering = Delivering::Live;
                self.position = n;
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

    /// Moves the state by an event that is, or is to be, record `n`.
    fn apply_event(
        &mut self,
        n: u64,
        event: Event,
        live: bool,
    ) -> Result<Option<Activation>, Misfit> {
        if let Event::RunStarted(started) = event {
            self.state.start()?;
            return Ok(Some(Activation::Start(started)));
        }
        self.state.expect_open()?;
        let operations = &mut self.operations;
        let effects = live.then_some(&mut self.turn.effects);
        let activation = match event {
            Event::ActivityCompleted {
                command_n, result, ..
            } => activity::complete(operations, command_n, Outcome::Completed(result), effects)?,
            Event::ActivityFailed {
                command_n,
                attempt,
                failure,
                retry_state,
            } => {
                let outcome = Outcome::Failed {
                    attempt,
                    failure,
                    retry_state,
                };
                activity::complete(operations, command_n, outcome, effects)?
            }
            Event::ActivityCancelled {
                command_n,
                attempt,
                details,
            } => {
                let outcome = Outcome::Cancelled { attempt, details };
                activity::complete(operations, command_n, outcome, effects)?
            }
            Event::ActivityAttemptFailed { command_n, .. } => {
                activity::attempt_failed(operations, command_n)?;
                return Ok(None);
            }
            Event::TimerFired { command_n } => timer::fire(operations, command_n, effects)?,
            Event::SignalReceived {
                name, arguments, ..
            } => Activation::Signal { name, arguments },
            Event::CancelRequested { reason, .. } => Activation::RequestCancel { reason },
            Event::RunTerminated { .. } => {
                self.close(n, ClosedStatus::Terminated, live)?;
                return Ok(None);
            }
            Event::RunTimedOut => {
                self.close(n, ClosedStatus::TimedOut, live)?;
                return Ok(None);
            }
            // `VersionChanged`, and whatever a later version records for people alone.
            _ => return Ok(None),
        };
        Ok(Some(activation))
    }

    /// Moves the state by a command that is, or is to be, record `n`.
    fn apply_command(&mut self, n: u64, command: &Command, live: bool) -> Result<(), Misfit> {
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
            Command::CompleteRun { .. } => self.close(n, ClosedStatus::Completed, live),
            Command::FailRun { .. } => self.close(n, ClosedStatus::Failed, live),
            Command::CancelRun { .. } => self.close(n, ClosedStatus::Cancelled, live),
            _ => Ok(()),
        }
    }

    fn close(&mut self, n: u64, status: ClosedStatus, live: bool) -> Result<(), Misfit> {
        self.state.close(n, status)?;
        if live {
            self.turn.effects.push(Effect::CloseRun { status });
        }
        Ok(())
    }

    /// The recorded command that the code is expected to issue next.
    fn expected_command(&self) -> Option<&Command> {
        let replays = self.delivering == Delivering::Recorded
            && !matches!(self.state, RunState::Closed { .. });
        match self.history.as_slice().first() {
            Some(Record {
                body: RecordBody::Command(command),
                ..
            }) if replays => Some(command),
            _ => None,
        }
    }

    fn check(&mut self, asked: Command) -> Result<Submitted, MachineError> {
        self.awaits_verdict = false;
        let n = self.position + 1;
        match self
            .expected_command()
            .map(|recorded| compare::compare(recorded, &asked))
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
    fn accept(&mut self) -> Result<u64, MachineError> {
        self.awaits_verdict = false;
        let Some(Record {
            n,
            body: RecordBody::Command(command),
            ..
        }) = self.history.next()
        else {
            return Err(MachineError::OutsideTurn);
        };
        self.position = n;
        match self.apply_command(n, &command, false) {
            Ok(()) => Ok(n),
            Err(misfit) => Err(MachineError::Contradiction {
                n,
                command_n: misfit.command_n(),
            }),
        }
    }

    fn mismatch(&self, asked: Command) -> MachineError {
        let n = self.position + 1;
        let mismatch = match self.expected_command() {
            Some(recorded) => Mismatch::CommandDiffers {
                n,
                fields: compare::differences(recorded, &asked),
                recorded: Box::new(recorded.clone()),
                asked: Box::new(asked),
            },
            None => Mismatch::CommandExtra {
                n,
                asked: Box::new(asked),
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
        let body = RecordBody::Command(command);
        self.turn.records.push(Record {
            n,
            at: self.now,
            body,
        });
        Ok(Submitted::Accepted { n })
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The behaviour flags in force.
    #[must_use]
    pub fn flags(&self) -> u64 {
        self.flags
    }

    /// Whether recorded history is still being delivered.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.delivering == Delivering::Recorded || !self.history.as_slice().is_empty()
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

    /// How the run was closed, if it is.
    #[must_use]
    pub fn closed(&self) -> Option<ClosedStatus> {
        match self.state {
            RunState::Closed { status, .. } => Some(status),
            RunState::Awaited | RunState::Open => None,
        }
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
            .map(|operation| operation.command())
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
