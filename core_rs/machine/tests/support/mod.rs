//! A workflow in miniature and a host that steps it, for tests of the machine.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses its part"
)]

pub mod cases;
pub mod related;

use std::collections::VecDeque;

use perdure_history::testing::HistoryBuilder;
use perdure_history::{Command, Event, Payload, Record, Timestamp};
use perdure_machine::{Activation, Effect, Machine, MachineError, RecordedTurn, Submitted};

/// Workflow code as the machine sees it: what it asks for after each activation.
pub trait Workflow {
    /// The commands that follow `activation`. `first_n` is the number that the first will bear.
    fn activate(&mut self, activation: &Activation, first_n: u64) -> Vec<Command>;
}

/// A workflow that asks for prepared commands, whatever it is told.
pub struct Script(VecDeque<Vec<Command>>);

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Vec<Command>>) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl Workflow for Script {
    fn activate(&mut self, _: &Activation, _: u64) -> Vec<Command> {
        self.0.pop_front().unwrap_or_default()
    }
}

/// What workflow code could see: each activation, the run's time, and the numbers of its commands.
pub type Seen = Vec<(Activation, Timestamp, Vec<u64>)>;

/// Delivers everything that is pending, running `workflow` to idle after each activation.
pub fn deliver(machine: &mut Machine, workflow: &mut dyn Workflow) -> Result<Seen, MachineError> {
    let mut seen = Vec::new();
    while let Some(activation) = machine.poll_activation()? {
        let mut numbers = Vec::new();
        for command in workflow.activate(&activation, machine.position() + 1) {
            match machine.submit(command.clone())? {
                Submitted::Accepted { n } => numbers.push(n),
                Submitted::ArgumentsDiffer { .. } => return Err(machine.refuse_arguments(command)),
            }
        }
        seen.push((activation, machine.now(), numbers));
    }
    Ok(seen)
}

/// One live turn at `micros`.
pub fn turn(
    machine: &mut Machine,
    workflow: &mut dyn Workflow,
    micros: i64,
    events: impl IntoIterator<Item = Event>,
) -> (Seen, RecordedTurn) {
    events
        .into_iter()
        .for_each(|event| machine.handle_event(event));
    machine.begin_turn(Timestamp::from_micros(micros));
    let seen = deliver(machine, workflow).unwrap();
    (seen, machine.take_turn())
}

/// A machine that replays `records`.
pub fn replayer(records: Vec<Record>) -> Machine {
    Machine::from_history(HistoryBuilder::RUN, 0, records).unwrap()
}

/// A machine of which nothing is recorded.
pub fn empty() -> Machine {
    Machine::new(HistoryBuilder::RUN, 0)
}

/// Replays `history` against prepared commands.
pub fn replay(
    history: &HistoryBuilder,
    steps: impl IntoIterator<Item = Vec<Command>>,
) -> Result<Seen, MachineError> {
    deliver(&mut replayer(history.records()), &mut Script::new(steps))
}

pub fn payload(bytes: &'static [u8]) -> Payload {
    Payload(bytes::Bytes::from_static(bytes))
}

/// The events that a turn dropped.
pub fn dropped(turn: &RecordedTurn) -> Vec<&Event> {
    turn.effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::EventDropped { event, .. } => Some(&**event),
            _ => None,
        })
        .collect()
}
