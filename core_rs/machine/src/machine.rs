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

mod delivery;
mod getters;
mod patch;
mod priority;
mod submission;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use perdure_history::{Event, Failure, Record, RecordBody, RunId, RunStarted, Timestamp};

use crate::error::MachineError;
use crate::mismatch::Mismatch;
use crate::operations::Operations;
use crate::operations::patch::Patches;
use crate::operations::reset::Former;
use crate::operations::run::RunState;
use crate::{Activation, Effect, flags};

pub use self::submission::Submitted;

/// How many queued events a machine keeps room for between turns.
const KEPT_QUEUE_CAPACITY: usize = 4;

/// The machine of one run.
#[derive(Debug)]
pub struct Machine {
    run: RunId,
    flags: u64,
    /// How the run began; known once that is delivered.
    started: Option<Arc<RunStarted>>,
    state: RunState,
    operations: Operations,
    /// Recorded history, until all of it is delivered. Delivery takes what it needs out of a record
    /// where it lies: moving whole records costs more than the rest of a replayed step.
    history: Vec<Record>,
    /// How many records of `history` are delivered.
    cursor: usize,
    /// The number of the last record delivered, replayed or live.
    position: u64,
    /// The bytes of the values in the records up to there.
    value_bytes: usize,
    /// The number of the last record that history held when this machine was made.
    recorded_n: u64,
    now: Timestamp,
    delivering: Delivering,
    /// Whether the recorded command at the front of history awaits a verdict on its arguments.
    awaits_verdict: bool,
    /// Only replay changes them, so that a cut need not restore them.
    patches: Patches,
    /// Only replay changes them, likewise.
    former: Former,
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
    value_bytes: usize,
    now: Timestamp,
    state: RunState,
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
            started: None,
            state: RunState::Awaited,
            operations: Operations::default(),
            history: Vec::new(),
            cursor: 0,
            position: 0,
            value_bytes: 0,
            recorded_n: 0,
            now: Timestamp::default(),
            delivering: Delivering::Nothing,
            awaits_verdict: false,
            patches: Patches::default(),
            former: Former::default(),
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
            patches: Patches::of(&records),
            former: Former::of(&records),
            history: records,
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
            self.pass_deprecated_patches(None);
            match self.history.get(self.cursor) {
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

    /// Ends the turn: its records and effects, leaving the machine ready for the next.
    pub fn take_turn(&mut self) -> RecordedTurn {
        self.end_delivery();
        self.turn_at = None;
        // A burst of events must not cost a cached run memory until it is evicted.
        self.queue.shrink_to(KEPT_QUEUE_CAPACITY);
        core::mem::take(&mut self.turn)
    }

    /// Cuts the turn before the event being delivered (a bug parked the run): that event and all
    /// queued after it come back, undelivered; what came before is kept for `take_turn`.
    pub fn cut_turn(&mut self) -> Vec<Event> {
        let mut undelivered = Vec::with_capacity(self.queue.len() + 1);
        undelivered.extend(self.take_back());
        self.end_delivery();
        undelivered.extend(self.queue.drain(..));
        undelivered
    }

    /// Refuses the update being delivered: it leaves no record, and its sender is told why.
    ///
    /// # Errors
    /// [`MachineError::OutsideTurn`] when what is being delivered is no live update, or the code
    /// has already asked for something because of it.
    pub fn reject_update(&mut self, failure: Failure) -> Result<(), MachineError> {
        if self.delivering != Delivering::Live
            || !matches!(
                self.turn.records.last(),
                Some(Record {
                    body: RecordBody::Event(Event::UpdateAccepted { .. }),
                    ..
                })
            )
        {
            return Err(MachineError::OutsideTurn);
        }
        if let Some(Event::UpdateAccepted { message_id, .. }) = self.take_back() {
            self.turn.effects.push(Effect::UpdateRejected {
                message_id,
                failure: Box::new(failure),
            });
        }
        self.delivering = Delivering::Nothing;
        Ok(())
    }

    /// Goes back to before the live event being delivered, and gives it.
    fn take_back(&mut self) -> Option<Event> {
        let checkpoint = self.checkpoint.take()?;
        self.operations.restore();
        self.turn.effects.truncate(checkpoint.effects);
        let cut = self.turn.records.drain(checkpoint.records..).next();
        self.position = checkpoint.position;
        self.value_bytes = checkpoint.value_bytes;
        self.now = checkpoint.now;
        self.state = checkpoint.state;
        if matches!(self.state, RunState::Awaited) {
            self.started = None;
        }
        match cut?.body {
            RecordBody::Event(event) => Some(event),
            RecordBody::Command(_) => None,
        }
    }

    fn end_delivery(&mut self) {
        self.delivering = Delivering::Nothing;
        self.awaits_verdict = false;
        self.checkpoint = None;
        self.operations.commit();
        if self.cursor == self.history.len() {
            self.operations.end_replay();
            self.history = Vec::new();
            self.cursor = 0;
        }
    }
}
