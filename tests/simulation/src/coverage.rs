//! How often each thing happened: what a campaign never does, it does not test.

use std::collections::BTreeMap;
use std::fmt;

/// Everything that can happen in a world and that a checker, a step or a worker must be seen to do.
pub const EXPECTED: [&str; 65] = [
    "answer: Accepted",
    "answer: AlreadyStarted",
    "answer: Closed",
    "answer: NotFound",
    "answer: Parked",
    "answer: Refused",
    "answer: Result",
    "answer: Started",
    "check: a message is delivered once",
    "check: a timer is not late for an event",
    "check: a paused run is not stepped",
    "check: acknowledged and kept",
    "check: completion",
    "check: dispatch",
    "check: heartbeat details",
    "check: one attempt after the other",
    "check: replay beside a live run",
    "check: replay of a sleeping run",
    "check: run ended",
    "check: timer",
    "effect: cancel a task",
    "effect: consumed",
    "effect: dispatch, local",
    "effect: dispatch, remote",
    "effect: evict",
    "effect: inventory",
    "effect: retain",
    "fault: AmbiguousLost",
    "fault: AmbiguousWritten",
    "fault: NoSpace",
    "fault: SyncFailed",
    "fault: unreadable",
    "life: deleted when old",
    "life: drained",
    "life: fenced",
    "life: stopped",
    "life: taken over",
    "message: AwaitResult",
    "message: Cancel",
    "message: Pause",
    "message: Signal",
    "message: Start",
    "message: Terminate",
    "message: Unpark",
    "message: Unpause",
    "network: delivered",
    "network: doubled",
    "network: lost",
    "step: clock back",
    "step: clock back while down",
    "step: clock forward",
    "step: crash of the machine",
    "step: crash of the process",
    "step: deploy",
    "step: deploy of another task queue",
    "step: deploy without the workflow",
    "step: evict",
    "step: post while down",
    "step: restart",
    "step: workers lost",
    "turn: idle",
    "turn: parked",
    "worker: Cancelled",
    "worker: Heartbeat",
    "worker: NotStarted",
];

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// It happened once more.
    pub fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    /// It happened so often more.
    pub fn add(&mut self, what: &'static str, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// Takes over the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (what, times) in &other.0 {
            self.add(what, *times);
        }
    }

    /// Those of these names that never happened.
    #[must_use]
    pub fn missing(&self, expected: &[&'static str]) -> Vec<&'static str> {
        let never = |name: &&&'static str| !self.0.contains_key(**name);
        expected.iter().filter(never).copied().collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, times) in &self.0 {
            writeln!(formatter, "{times:>12}  {what}")?;
        }
        Ok(())
    }
}
