//! Histories of the shapes that matter: steps one after the other, and a wide fan-out.

use std::time::Duration;

use bytes::Bytes;
use perdure_history::testing::{HistoryBuilder, complete_run, schedule};
use perdure_history::{Command, Record};
use perdure_machine::{Machine, MachineError, Submitted};

/// A run: its history, and the commands that its code asks for after each activation.
pub struct Load {
    /// Records, as decoded.
    pub records: Vec<Record>,
    /// The stored form, a batch a turn.
    pub batches: Vec<Bytes>,
    /// What the code asks for, one entry an activation.
    pub asked: Vec<Vec<Command>>,
}

/// `steps` activities one after the other, each in a turn of its own.
pub fn sequential(steps: usize) -> Load {
    let mut history = HistoryBuilder::started("sequential");
    let mut asked = vec![vec![schedule("step")]];
    for step in 1..=steps {
        let command_n = history.schedule("step");
        history.turn(Duration::from_millis(1));
        history.completed(command_n);
        asked.push(vec![if step < steps {
            schedule("step")
        } else {
            complete_run()
        }]);
    }
    history.complete_run();
    Load {
        records: history.records(),
        batches: history.batches(),
        asked,
    }
}

/// `width` activities at once, which complete in the order of their numbers in one turn.
pub fn fan_out(width: usize) -> Load {
    let mut history = HistoryBuilder::started("fan_out");
    let numbers: Vec<u64> = (0..width).map(|_| history.schedule("step")).collect();
    history.turn(Duration::from_millis(1));
    for number in &numbers {
        history.completed(*number);
    }
    history.complete_run();
    let mut asked = vec![vec![]; width + 1];
    asked
        .first_mut()
        .into_iter()
        .for_each(|first| *first = vec![schedule("step"); width]);
    asked
        .last_mut()
        .into_iter()
        .for_each(|last| last.push(complete_run()));
    Load {
        records: history.records(),
        batches: history.batches(),
        asked,
    }
}

impl Load {
    /// Replays the records, submitting what the code asks for; gives the number of activations.
    ///
    /// # Errors
    /// A mismatch: the load is wrong.
    pub fn replay(records: Vec<Record>, asked: Vec<Vec<Command>>) -> Result<usize, MachineError> {
        let mut machine = Machine::from_history(HistoryBuilder::RUN, 0, records)?;
        let mut activations = 0;
        let mut asked = asked.into_iter();
        while let Some(activation) = machine.poll_activation()? {
            std::hint::black_box(&activation);
            activations += 1;
            for command in asked.next().unwrap_or_default() {
                let submitted = machine.submit(command)?;
                debug_assert!(
                    matches!(submitted, Submitted::Accepted { .. }),
                    "{submitted:?}"
                );
            }
        }
        Ok(activations)
    }
}
