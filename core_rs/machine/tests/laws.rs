//! Replay laws over random programs: whatever the program, the order of events and the cuts between
//! turns, code sees the same live, replayed from every prefix, and after a cut.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use perdure_history::testing::{
    complete_run, completed, failed, failure, schedule_with, start, start_timer,
};
use perdure_history::{
    Batch, BatchEncoder, CancellationType, Command, Event, MessageId, Record, RecordBody,
    Timestamp, decode_history,
};
use perdure_machine::{Activation, Machine};
use proptest::prelude::*;
use support::{Seen, Workflow, deliver, empty, replayer};

/// A small generator, so that a program's draws do not depend on the property test's own.
#[derive(Clone)]
struct Draws(u64);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A program that answers each activation with drawn commands: deterministic, since it draws from
/// its own seed and knows only what it was told.
struct Program {
    draws: Draws,
    calls: BTreeSet<u64>,
    waiting: BTreeSet<u64>,
    timers: BTreeSet<u64>,
    closed: bool,
}

impl Program {
    fn new(seed: u64) -> Self {
        let (calls, waiting, timers) = Default::default();
        Self {
            draws: Draws(seed),
            calls,
            waiting,
            timers,
            closed: false,
        }
    }

    fn next_command(&mut self, n: u64) -> Command {
        let draw = self.draws.below(100);
        let any = |set: &BTreeSet<u64>, draws: &mut Draws| {
            let index = draws.below(set.len().max(1) as u64);
            set.iter().nth(index as usize).copied()
        };
        if draw < 15 {
            if let Some(command_n) = any(&self.calls, &mut self.draws) {
                self.calls.remove(&command_n);
                return Command::CancelActivity { command_n };
            }
        } else if draw < 25 {
            if let Some(command_n) = any(&self.waiting, &mut self.draws) {
                return Command::CancelActivity { command_n };
            }
        } else if draw < 40 {
            if let Some(command_n) = any(&self.timers, &mut self.draws) {
                self.timers.remove(&command_n);
                return Command::CancelTimer { command_n };
            }
        } else if draw < 42 {
            self.closed = true;
            return complete_run();
        } else if draw < 60 {
            self.timers.insert(n);
            return start_timer(Timestamp::from_micros(n as i64));
        }
        let cancellation_type = match self.draws.below(3) {
            0 => CancellationType::Try,
            1 => CancellationType::Abandon,
            _ => CancellationType::WaitCompleted,
        };
        if cancellation_type == CancellationType::WaitCompleted {
            self.waiting.insert(n);
        } else {
            self.calls.insert(n);
        }
        let name = format!("activity-{}", self.draws.below(4));
        schedule_with(&name, &n.to_be_bytes(), cancellation_type)
    }
}

impl Workflow for Program {
    fn activate(&mut self, activation: &Activation, first_n: u64) -> Vec<Command> {
        match activation {
            Activation::ResolveActivity { command_n, outcome } => {
                let known = self.calls.remove(command_n) | self.waiting.remove(command_n);
                assert!(known, "a result for a call that nobody awaits: {command_n}");
                // What the program does next depends on what it was told.
                self.draws.0 ^= u64::from(outcome.is_ok());
            }
            Activation::FireTimer { command_n } => {
                assert!(
                    self.timers.remove(command_n),
                    "a timer that was taken back: {command_n}"
                );
            }
            _ => {}
        }
        let mut commands = Vec::new();
        for n in first_n..first_n + self.draws.below(4) {
            if self.closed {
                break;
            }
            commands.push(self.next_command(n));
        }
        commands
    }
}

/// Events from outside, some of which fit no more: second completions, completions of what was
/// taken back, anything after the close.
fn outside_event(draws: &mut Draws, last_n: u64) -> Event {
    let command_n = 1 + draws.below(last_n + 2);
    let message_id = MessageId(format!("message-{}", draws.below(1_000_000)));
    match draws.below(12) {
        0..=3 => completed(command_n),
        4 => failed(command_n),
        5 => Event::ActivityCancelled {
            command_n,
            attempt: 1,
            details: None,
        },
        6 => Event::ActivityAttemptFailed {
            command_n,
            attempt: 1,
            failure: failure("busy"),
            next_attempt_at: Timestamp::NEVER,
            heartbeat_details: None,
        },
        7 | 8 => Event::TimerFired { command_n },
        9 => {
            let (name, arguments) = ("changed".into(), support::payload(&[0x90]));
            Event::SignalReceived {
                message_id,
                name,
                arguments,
            }
        }
        10 => Event::CancelRequested {
            message_id,
            reason: String::new(),
        },
        _ if draws.below(20) == 0 => Event::RunTerminated {
            message_id,
            reason: String::new(),
            next_run_id: None,
        },
        _ => Event::VersionChanged {
            engine: "0.1.0".into(),
            language: "cpython-3.11".into(),
            deployment: None,
        },
    }
}

/// A whole live run: what its code saw, and what each turn recorded.
struct Live {
    seen: Seen,
    turns: Vec<Vec<Record>>,
}

impl Live {
    fn run(program: u64, outside: u64, turns: usize) -> Self {
        let mut machine = empty();
        let mut workflow = Program::new(program);
        let mut draws = Draws(outside);
        let mut live = Self {
            seen: Vec::new(),
            turns: Vec::new(),
        };
        machine.handle_event(Event::RunStarted(Arc::new(start("random"))));
        for turn in 0..turns as i64 {
            machine.begin_turn(Timestamp::from_micros(1_000 * turn));
            live.seen
                .extend(deliver(&mut machine, &mut workflow).unwrap());
            live.turns.push(machine.take_turn().records);
            for _ in 0..draws.below(6) {
                machine.handle_event(outside_event(&mut draws, machine.last_n()));
            }
        }
        live
    }

    fn records(&self) -> Vec<Record> {
        self.turns.concat()
    }
}

/// Replays `records` with a new instance of the program.
fn replayed(program: u64, records: &[Record]) -> (Machine, Program, Seen) {
    let mut machine = replayer(records.to_vec());
    let mut workflow = Program::new(program);
    let seen = deliver(&mut machine, &mut workflow).unwrap();
    assert_eq!(
        machine.take_turn(),
        Default::default(),
        "replay records and causes nothing"
    );
    (machine, workflow, seen)
}

/// The events of `records`, each with the time at which it was recorded.
fn events(records: &[Record]) -> impl Iterator<Item = (Timestamp, Event)> + '_ {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::Event(event) => Some((record.at, event.clone())),
        RecordBody::Command(_) => None,
    })
}

proptest! {
    #[test]
    fn replay_shows_what_the_live_run_showed(program: u64, outside: u64, turns in 1_usize..24) {
        let live = Live::run(program, outside, turns);
        let (machine, _, seen) = replayed(program, &live.records());
        prop_assert_eq!(&seen, &live.seen);
        prop_assert_eq!(machine.last_n(), live.records().len() as u64);
    }

    #[test]
    fn a_run_goes_on_the_same_from_every_prefix(program: u64, outside: u64, turns in 1_usize..16) {
        let live = Live::run(program, outside, turns);
        for kept in 1..live.turns.len() {
            let (mut machine, mut workflow, mut seen) =
                replayed(program, &live.turns[..kept].concat());
            let mut records = live.turns[..kept].concat();
            // One event a turn: where turns end is not part of what code can see.
            for (at, event) in events(&live.turns[kept..].concat()) {
                machine.handle_event(event);
                machine.begin_turn(at);
                seen.extend(deliver(&mut machine, &mut workflow).unwrap());
                records.extend(machine.take_turn().records);
            }
            prop_assert_eq!(&seen, &live.seen, "prefix of {} turns", kept);
            prop_assert_eq!(&records, &live.records(), "prefix of {} turns", kept);
        }
    }

    #[test]
    fn a_cut_leaves_what_an_earlier_end_would_have(
        program: u64, outside: u64, turns in 2_usize..16, cut_after: prop::sample::Index,
    ) {
        let live = Live::run(program, outside, turns);
        let all: Vec<(Timestamp, Event)> = events(&live.records()).collect();
        let cut_after = cut_after.index(all.len());

        // Everything in one turn, cut while event `cut_after` is being delivered.
        let mut machine = empty();
        let mut workflow = Program::new(program);
        all.iter().for_each(|(_, event)| machine.handle_event(event.clone()));
        machine.begin_turn(Timestamp::from_micros(7));
        while let Some(activation) = machine.poll_activation().unwrap() {
            for command in workflow.activate(&activation, machine.position() + 1) {
                machine.submit(command).unwrap();
            }
            if all.len() - machine.queued_events() > cut_after {
                break;
            }
        }
        let undelivered = machine.cut_turn();
        let kept = machine.take_turn();
        let rest = &all[all.len() - undelivered.len()..];
        let expected: Vec<Event> = rest.iter().map(|(_, event)| event.clone()).collect();
        prop_assert_eq!(&undelivered, &expected);

        // The same events without the rest, ended in the ordinary way.
        let mut shorter = empty();
        let mut workflow = Program::new(program);
        let before = all.len() - undelivered.len();
        all[..before].iter().for_each(|(_, event)| shorter.handle_event(event.clone()));
        shorter.begin_turn(Timestamp::from_micros(7));
        deliver(&mut shorter, &mut workflow).unwrap();
        prop_assert_eq!(kept, shorter.take_turn());
        prop_assert_eq!(format!("{machine:?}"), format!("{shorter:?}"));
    }

    #[test]
    fn the_stored_form_gives_back_the_history(program: u64, outside: u64, turns in 1_usize..24) {
        let live = Live::run(program, outside, turns);
        let mut encoder = BatchEncoder::new();
        let (mut prev_hash, run) = ([0; 16], perdure_history::testing::HistoryBuilder::RUN);
        let mut batches = Vec::new();
        for records in live.turns.iter().filter(|records| !records.is_empty()) {
            let (first_n, records) = (records[0].n, records.clone());
            let batch = Batch { run, first_n, prev_hash, epoch: 1, flags: 0, records };
            batches.push(encoder.encode(&batch));
            prev_hash = Batch::hash(batches.last().unwrap());
        }
        prop_assert_eq!(decode_history(run, &batches), Ok(live.records()));
    }
}
