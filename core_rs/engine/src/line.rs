//! Attempts in line, in the order in which they leave: by priority key, then in turns by fairness
//! key, then whoever came first.
//!
//! The turns are start-time fair queueing: each fairness key of a level has a tag, the key with the
//! lowest tag is next, and whoever leaves moves its key's tag by the cost of a turn, which is less
//! for a key of more weight. A key that joins begins at the level's own tag, so that having been
//! silent earns nothing. Where an attempt stands within its key is durable (see [`Place`]); the
//! tags are not: after a restart every key begins its turns anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use perdure_history::{Priority, RunId, ScheduleActivity, Timestamp};
use rustc_hash::FxHashMap;

/// What a turn costs a fairness key of weight 1.
const TURN_COST: f64 = 1_000_000.0;
/// The weights that are told apart.
const WEIGHTS: (f64, f64) = (0.001, 1_000.0);
/// How many fairness keys of a level with nobody in line are remembered for their tags.
const KEYS_IDLE_MAX: usize = 1_024;

/// Since when an attempt waits, and which it is: both stand in the index, so that the order is the
/// same after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) since: Timestamp,
    pub(crate) run: RunId,
    pub(crate) command_n: u64,
}

/// An attempt in line.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) place: Place,
    pub(crate) asked: Arc<ScheduleActivity>,
}

/// A line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    levels: BTreeMap<u8, Level>,
}

/// Those of one priority key.
#[derive(Debug, Default)]
struct Level {
    keys: FxHashMap<FairnessKey, Turns>,
    /// The keys that have somebody in line: tag, first place, key.
    order: BTreeSet<(u64, Place, FairnessKey)>,
    /// The tag of the last turn taken.
    tag: u64,
}

type FairnessKey = Option<Arc<str>>;

/// Those of one fairness key.
#[derive(Debug, Default)]
struct Turns {
    tag: u64,
    waiting: BTreeMap<Place, Arc<ScheduleActivity>>,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Puts an attempt in its place.
    pub(crate) fn insert(&mut self, waiting: Waiting) {
        let priority = &waiting.asked.options.priority;
        let level = self.levels.entry(level_of(priority)).or_default();
        level.insert(priority.fairness_key.clone(), waiting);
    }

    /// Takes the first one out. It has not had its turn until [`Line::charge`].
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let mut first = self.levels.first_entry()?;
        let waiting = first.get_mut().pop();
        if first.get().order.is_empty() {
            first.remove();
        }
        waiting
    }

    /// One that was taken out has had its turn.
    pub(crate) fn charge(&mut self, asked: &ScheduleActivity) {
        let priority = &asked.options.priority;
        if let Some(level) = self.levels.get_mut(&level_of(priority)) {
            level.charge(&priority.fairness_key, cost(priority));
        }
    }
}

impl Level {
    fn insert(&mut self, key: FairnessKey, waiting: Waiting) {
        if self.keys.len() > self.order.len() + KEYS_IDLE_MAX {
            self.keys.retain(|_, turns| !turns.waiting.is_empty());
        }
        let turns = self.keys.entry(key.clone()).or_default();
        let first = turns.first();
        if first.is_none() {
            turns.tag = turns.tag.max(self.tag);
        }
        turns.waiting.insert(waiting.place, waiting.asked);
        let tag = turns.tag;
        match first {
            Some(first) if first <= waiting.place => {}
            _ => {
                if let Some(first) = first {
                    self.order.remove(&(tag, first, key.clone()));
                }
                self.order.insert((tag, waiting.place, key));
            }
        }
    }

    fn pop(&mut self) -> Option<Waiting> {
        let (tag, _, key) = self.order.pop_first()?;
        let turns = self.keys.get_mut(&key)?;
        let (place, asked) = turns.waiting.pop_first()?;
        if let Some(first) = turns.first() {
            self.order.insert((tag, first, key));
        }
        Some(Waiting { place, asked })
    }

    fn charge(&mut self, key: &FairnessKey, cost: u64) {
        let Some(turns) = self.keys.get_mut(key) else {
            return;
        };
        self.tag = self.tag.max(turns.tag);
        let tag = turns.tag.saturating_add(cost);
        if let Some(first) = turns.first() {
            self.order.remove(&(turns.tag, first, key.clone()));
            self.order.insert((tag, first, key.clone()));
        }
        turns.tag = tag;
    }
}

impl Turns {
    fn first(&self) -> Option<Place> {
        self.waiting.first_key_value().map(|(place, _)| *place)
    }
}

/// The priority key in force.
pub(crate) fn level_of(priority: &Priority) -> u8 {
    priority.priority_key.unwrap_or(Priority::DEFAULT_KEY)
}

fn cost(priority: &Priority) -> u64 {
    let weight = priority.fairness_weight.unwrap_or(1.0);
    // Whatever a history says: NaN counts as 1.
    let weight = if weight.is_nan() { 1.0 } else { weight };
    (TURN_COST / weight.clamp(WEIGHTS.0, WEIGHTS.1)) as u64
}

#[cfg(test)]
mod tests {
    use perdure_history::ActivityOptions;

    use super::*;
    use crate::testing::schedule_with;

    fn waiting(n: u64, priority_key: Option<u8>, fairness: Option<(&str, f64)>) -> Waiting {
        let options = ActivityOptions {
            priority: Priority {
                priority_key,
                fairness_key: fairness.map(|(key, _)| Arc::from(key)),
                fairness_weight: fairness.map(|(_, weight)| weight),
            },
            ..ActivityOptions::default()
        };
        Waiting {
            place: Place {
                since: Timestamp::from_micros(n.cast_signed()),
                run: RunId([1; 16]),
                command_n: n,
            },
            asked: schedule_with("parse", None, options),
        }
    }

    /// Takes so many out, each of which has its turn.
    fn leave(line: &mut Line, count: usize) -> Vec<u64> {
        let mut left = Vec::new();
        while left.len() < count
            && let Some(first) = line.pop()
        {
            line.charge(&first.asked);
            left.push(first.place.command_n);
        }
        left
    }

    #[test]
    fn a_lower_priority_key_leaves_first_and_three_is_the_default() {
        let mut line = Line::default();
        for (n, key) in [
            (1, Some(5)),
            (2, None),
            (3, Some(1)),
            (4, Some(3)),
            (5, Some(2)),
        ] {
            line.insert(waiting(n, key, None));
        }
        assert_eq!(leave(&mut line, 9), [3, 5, 2, 4, 1]);
        assert!(line.is_empty());
    }

    #[test]
    fn fairness_keys_leave_in_turns_and_by_weight() {
        let mut line = Line::default();
        for n in 0..100 {
            line.insert(waiting(n, None, Some(("loud", 1.0))));
        }
        for n in 100..110 {
            line.insert(waiting(n, None, Some(("quiet", 1.0))));
        }
        assert_eq!(leave(&mut line, 6), [0, 100, 1, 101, 2, 102]);
        let mut line = Line::default();
        for n in 0..40 {
            line.insert(waiting(n, None, Some(("one", 1.0))));
            line.insert(waiting(100 + n, None, Some(("three", 3.0))));
        }
        let left = leave(&mut line, 40);
        let of_three = left.iter().filter(|n| **n >= 100).count();
        assert!((29..=31).contains(&of_three), "{left:?}");
    }

    #[test]
    fn having_been_silent_earns_nothing() {
        let mut line = Line::default();
        for n in 0..50 {
            line.insert(waiting(n, None, Some(("steady", 1.0))));
        }
        leave(&mut line, 20);
        for n in 50..60 {
            line.insert(waiting(n, None, Some(("late", 1.0))));
        }
        let left = leave(&mut line, 10);
        assert_eq!(left.iter().filter(|n| **n >= 50).count(), 5, "{left:?}");
    }

    #[test]
    fn who_wanted_no_slot_has_not_had_a_turn() {
        let mut line = Line::default();
        for n in 0..4 {
            line.insert(waiting(n, None, Some(("cancels", 1.0))));
        }
        line.insert(waiting(4, None, Some(("other", 1.0))));
        let gone: Vec<_> = (0..3).filter_map(|_| line.pop()).collect();
        assert_eq!(gone.len(), 3);
        assert_eq!(leave(&mut line, 2), [3, 4]);
    }

    #[test]
    fn the_order_does_not_depend_on_who_was_put_in_first() {
        let keys = ["a", "b", "c"];
        let make = |n: u64| {
            let key = keys[usize::try_from(n % 3).unwrap()];
            waiting(n, Some(u8::try_from(n % 5).unwrap() + 1), Some((key, 1.0)))
        };
        let (mut one, mut other) = (Line::default(), Line::default());
        (0..60).for_each(|n| one.insert(make(n)));
        (0..60).rev().for_each(|n| other.insert(make(n)));
        assert_eq!(leave(&mut one, 60), leave(&mut other, 60));
    }

    #[test]
    fn a_long_line_of_many_keys_leaves_in_turns() {
        const KEYS: u64 = 1_000;
        let mut line = Line::default();
        for n in 0..100_000 {
            let key = format!("tenant-{}", n / (100_000 / KEYS));
            line.insert(waiting(n, None, Some((&key, 1.0))));
        }
        let mut left = leave(&mut line, usize::try_from(KEYS).unwrap());
        left.sort_unstable();
        let firsts: Vec<_> = (0..KEYS).map(|key| key * (100_000 / KEYS)).collect();
        assert_eq!(left, firsts, "each key has one turn before any has two");
        assert_eq!(leave(&mut line, 100_000).len(), 99_000);
    }

    #[test]
    fn keys_that_have_gone_are_forgotten() {
        let mut line = Line::default();
        line.insert(waiting(0, None, Some(("stays", 1.0))));
        for n in 1..10_000 {
            let key = format!("tenant-{n}");
            line.insert(waiting(n, None, Some((&key, 1.0))));
            let first = line.pop().unwrap();
            line.charge(&first.asked);
        }
        let level = line.levels.get(&Priority::DEFAULT_KEY).unwrap();
        assert!(
            level.keys.len() <= KEYS_IDLE_MAX + 3,
            "{}",
            level.keys.len()
        );
    }
}
