//! The lines of all routes, for people: how long each is, and what those in it wait for.

use std::collections::BTreeMap;

use crate::activity::Stage;
use crate::engine::Engine;
use crate::line;
use crate::task::Route;

/// A task queue or a service, as it stands now.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveQueue {
    /// Which one.
    pub route: Route,
    /// Whether anybody serves it.
    pub is_served: bool,
    /// How many attempts it takes at once.
    pub slots: usize,
    /// How many it has.
    pub running: usize,
    /// How many may begin in a second; absent for no limit.
    pub per_second: Option<f64>,
    /// How many attempts wait in line, by priority key.
    pub backlog: BTreeMap<u8, usize>,
    /// How many wait for what.
    pub reasons: BTreeMap<String, usize>,
}

impl Engine {
    /// All task queues and services that are known, by name.
    #[must_use]
    pub fn task_queues(&self) -> Vec<LiveQueue> {
        let slots = &self.context.slots;
        let mut queues = slots.live_queues();
        for run in self.runs.iter() {
            let queued = run.activities.values();
            for activity in queued.filter(|activity| activity.stage == Stage::Queued) {
                let asked = activity.schedule.as_deref();
                let Some(queue) = queues.get_mut(&activity.route.place()) else {
                    continue;
                };
                // Before a history is read after a restart, nothing says more of it.
                let level = asked.map(|asked| line::level_of(&asked.options.priority));
                let level = level.unwrap_or(perdure_history::Priority::DEFAULT_KEY);
                *queue.backlog.entry(level).or_default() += 1;
                let reason = slots.reason_to_wait(activity.route, asked, self.now());
                *queue.reasons.entry(reason).or_default() += 1;
            }
        }
        let mut queues: Vec<_> = queues.into_values().collect();
        queues.sort_by(|one, other| one.route.cmp(&other.route));
        queues
    }
}
