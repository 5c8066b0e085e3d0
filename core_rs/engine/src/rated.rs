//! Those of one route who wait for a rate limit: beside its line, so that they hold up no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use perdure_history::{RateLimit, Timestamp};
use rustc_hash::FxHashMap;

use crate::line::{Line, Waiting};

/// Who waits, by key.
#[derive(Debug, Default)]
pub(crate) struct Rated {
    keys: FxHashMap<Arc<str>, Aside>,
    /// The keys that may have something for somebody then.
    due: BTreeSet<(Timestamp, Arc<str>)>,
}

/// Who waits for one key.
#[derive(Debug, Default)]
struct Aside {
    line: Line,
    /// Absent while one of them is back in the line of the route, and has not come to its head.
    due: Option<Timestamp>,
}

impl Rated {
    /// Whether somebody waits for one of these keys.
    pub(crate) fn has_waiting(&self, limits: &[RateLimit]) -> bool {
        limits
            .iter()
            .any(|limit| self.keys.contains_key(&limit.key))
    }

    /// Somebody waits for a key, which has nothing for it before an instant.
    pub(crate) fn put_aside(
        &mut self,
        key: &Arc<str>,
        waiting: Waiting,
        ready_at: Timestamp,
        now: Timestamp,
    ) {
        let aside = self.keys.entry(Arc::clone(key)).or_default();
        aside.line.insert(waiting);
        // What is due now has just been looked at: nobody overtakes who came first.
        let due = aside.due.filter(|due| *due > now);
        let due = due.map_or(ready_at, |due| due.min(ready_at));
        self.set_due(key, Some(due));
    }

    /// One of those who may go on: it is in line again, in its old place. Of each key one at a
    /// time, since what it takes decides about the next.
    pub(crate) fn recall(&mut self, now: Timestamp) -> Option<Waiting> {
        let (due, key) = self.due.first()?;
        if *due > now {
            return None;
        }
        let key = Arc::clone(key);
        self.set_due(&key, None);
        let aside = self.keys.get_mut(&key)?;
        let next = aside.line.pop();
        if let Some(next) = &next {
            aside.line.charge(&next.asked);
        }
        if aside.line.is_empty() {
            self.keys.remove(&key);
        }
        next
    }

    /// Somebody with these limits came to the head of the line: the next of them may be looked at.
    pub(crate) fn came(&mut self, limits: &[RateLimit], now: Timestamp) {
        for limit in limits {
            if self
                .keys
                .get(&limit.key)
                .is_some_and(|aside| aside.due.is_none())
            {
                self.set_due(&limit.key, Some(now));
            }
        }
    }

    /// When somebody may go on.
    pub(crate) fn ready_at(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    fn set_due(&mut self, key: &Arc<str>, due: Option<Timestamp>) {
        let Some(aside) = self.keys.get_mut(key) else {
            return;
        };
        if let Some(old) = std::mem::replace(&mut aside.due, due) {
            self.due.remove(&(old, Arc::clone(key)));
        }
        if let Some(due) = due {
            self.due.insert((due, Arc::clone(key)));
        }
    }
}
