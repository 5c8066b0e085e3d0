//! Time that skips: with nothing else to do, it jumps to where something falls due.
//!
//! | Asked to skip while                          | Answer    | Time             |
//! |----------------------------------------------|-----------|------------------|
//! | a turn, a write, a read or an input is open  | `Busy`    | stands           |
//! | more tasks are out than only wait for time   | `Held`    | stands           |
//! | nothing is due, and nobody sleeps            | `Nothing` | stands           |
//! | something is due, or a sleeper wakes         | `Moved`   | jumps to the first |

use std::time::Duration;

use perdure_history::Timestamp;
use perdure_store::Store;

use crate::clock::Clock;
use crate::runtime::Runtime;

/// What became of a skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skipped {
    /// Time has moved: pump.
    Moved,
    /// Something is under way that ends by itself; whatever ends it wakes the host.
    Busy,
    /// Activities are at work, or the clock is held: only real time may pass.
    Held,
    /// Nothing would ever happen.
    Nothing,
}

impl<S: Store + 'static> Runtime<S> {
    /// Jumps to the next deadline of a run, or to `until` when that is earlier. `waiting_tasks` of
    /// the tasks that are out only wait for time to pass, and do not hold it.
    pub fn skip_time(&mut self, until: Option<Timestamp>, waiting_tasks: usize) -> Skipped {
        let Clock::Skipping(clock) = self.clock.clone() else {
            return Skipped::Held;
        };
        if !self.is_quiet() {
            return Skipped::Busy;
        }
        if !clock.may_skip() || self.engine.held_tasks() > waiting_tasks {
            return Skipped::Held;
        }
        let due = self.engine.next_due_of_runs();
        let Some(target) = until.into_iter().chain(due).min() else {
            return Skipped::Nothing;
        };
        clock.advance_to(target);
        Skipped::Moved
    }

    /// Lets as much time pass as really did while activities were at work; not while the engine
    /// itself was: how long a write takes must not show.
    pub fn pass_time(&mut self, elapsed: Duration) -> bool {
        let Clock::Skipping(clock) = self.clock.clone() else {
            return false;
        };
        let quiet = self.is_quiet();
        if quiet {
            clock.advance_to(clock.now() + elapsed);
        }
        quiet
    }

    /// Whether nothing is under way here: no input, no append, nothing asked of the store. Turns
    /// are the host's to know.
    fn is_quiet(&self) -> bool {
        // The store first: what it has answered stands in line before it is counted as idle.
        self.store.is_idle()
            && self.answers.is_empty()
            && self.appended.is_empty()
            && self.local.is_empty()
            && self.submitted.is_empty()
            && self.ready.is_empty()
            && self.work.is_empty()
            && self.engine.is_settled()
    }
}
