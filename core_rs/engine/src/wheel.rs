//! Everything that falls due, in the order in which it does: by deadline, then by creation.

use std::collections::BTreeMap;

use perdure_history::{RunId, TaskId, Timestamp};

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A durable timer of a run.
    Timer { run: RunId, command_n: u64 },
    /// The earliest deadline of an activity: a timeout, the end of a backoff, a repeated cancel.
    Activity { run: RunId, command_n: u64 },
    /// The run timeout.
    RunTimeout { run: RunId },
    /// A run that was started earlier begins.
    Begin { run: RunId },
    /// A turn that stayed open for local activities is written.
    Ahead { run: RunId },
    /// A parked run is tried again.
    Unpark { run: RunId },
    /// A write that found no space is tried again.
    Append { run: RunId },
    /// A task that nobody answers for gives its slot back.
    Abandoned { task: TaskId },
    /// A rate lets the next activity begin.
    Rate,
    /// Services are asked again which tasks they hold.
    Inventory,
    /// Closed runs past their retention are deleted.
    Retention,
}

/// Names an armed entry, so that it can be disarmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WheelKey {
    at: Timestamp,
    creation: u64,
}

/// The armed entries. Disarming really removes: a one-hour timeout that is armed and disarmed fifty
/// thousand times a second must leave nothing behind.
#[derive(Debug, Default)]
pub(crate) struct Wheel {
    entries: BTreeMap<WheelKey, Due>,
    created: u64,
}

impl Wheel {
    /// Arms an entry; `None` when it can never fall due.
    pub(crate) fn arm(&mut self, at: Timestamp, due: Due) -> Option<WheelKey> {
        if at == Timestamp::NEVER {
            return None;
        }
        self.created += 1;
        let key = WheelKey {
            at,
            creation: self.created,
        };
        self.entries.insert(key, due);
        Some(key)
    }

    /// Disarms the entry behind a key, if it is still armed, and empties the key.
    pub(crate) fn disarm(&mut self, key: &mut Option<WheelKey>) {
        if let Some(key) = key.take() {
            self.entries.remove(&key);
        }
    }

    /// Moves an entry to another instant.
    pub(crate) fn rearm(&mut self, key: &mut Option<WheelKey>, at: Timestamp, due: Due) {
        if key.is_some_and(|key| key.at == at) {
            return;
        }
        self.disarm(key);
        *key = self.arm(at, due);
    }

    /// Takes the first entry due by `now`, with its deadline.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        let entry = self.entries.first_entry()?;
        (entry.key().at <= now).then(|| {
            let (key, due) = entry.remove_entry();
            (key.at, due)
        })
    }

    /// When the next entry falls due.
    pub(crate) fn next_due_at(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|(key, _)| key.at)
    }

    /// When the next entry falls due, if any entry is one that a run waits for: what only repeats
    /// itself is no reason for time to go on.
    pub(crate) fn next_due_before_one_of_runs(&self) -> Option<Timestamp> {
        let of_a_run = |due: &Due| {
            matches!(
                due,
                Due::Timer { .. } | Due::Activity { .. } | Due::RunTimeout { .. }
            )
        };
        self.entries.values().find(|due| of_a_run(due))?;
        self.next_due_at()
    }

    /// How many entries are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timer(command_n: u64) -> Due {
        Due::Timer {
            run: RunId([7; 16]),
            command_n,
        }
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn d1_entries_fall_due_by_deadline_and_then_by_creation() {
        let mut wheel = Wheel::default();
        wheel.arm(at(20), timer(1));
        wheel.arm(at(10), timer(2));
        wheel.arm(at(10), timer(3));
        assert_eq!(wheel.pop_due(at(9)), None);
        let order: Vec<_> = std::iter::from_fn(|| wheel.pop_due(at(30))).collect();
        assert_eq!(
            order,
            [(at(10), timer(2)), (at(10), timer(3)), (at(20), timer(1))]
        );
    }

    #[test]
    fn disarming_leaves_nothing_behind() {
        let mut wheel = Wheel::default();
        let mut key = wheel.arm(at(10), timer(1));
        wheel.rearm(&mut key, at(12), timer(1));
        assert_eq!((wheel.len(), wheel.next_due_at()), (1, Some(at(12))));
        wheel.disarm(&mut key);
        assert_eq!((wheel.len(), key, wheel.next_due_at()), (0, None, None));
        assert_eq!(wheel.arm(Timestamp::NEVER, timer(1)), None);
    }

    #[test]
    fn what_repeats_itself_is_no_reason_to_skip() {
        let mut wheel = Wheel::default();
        wheel.arm(at(5), Due::Retention);
        assert_eq!(wheel.next_due_before_one_of_runs(), None);
        wheel.arm(at(10), timer(1));
        assert_eq!(wheel.next_due_before_one_of_runs(), Some(at(5)));
    }
}
