//! What the host has: the task queues that it serves, and the workflow types of each.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::input::{ParkReason, ServedQueue};
use crate::parking::code;
use crate::run::Identity;

/// The workflow types of each task queue that is served.
#[derive(Debug)]
pub(crate) struct Hosted(FxHashMap<Arc<str>, FxHashSet<Arc<str>>>);

impl Hosted {
    /// What the host has said that it has.
    pub(crate) fn new(queues: Vec<ServedQueue>) -> Self {
        let types = |queue: ServedQueue| (queue.task_queue, queue.workflow_types);
        let mut served: FxHashMap<Arc<str>, FxHashSet<Arc<str>>> = FxHashMap::default();
        for (task_queue, workflow_types) in queues.into_iter().map(types) {
            served.entry(task_queue).or_default().extend(workflow_types);
        }
        Self(served)
    }

    /// Whether it can step the run.
    pub(crate) fn has(&self, run: &Identity) -> bool {
        self.0
            .get(&run.task_queue)
            .is_some_and(|types| types.contains(&run.workflow_type))
    }

    fn serves(&self, task_queue: &str) -> bool {
        self.0.contains_key(task_queue)
    }
}

/// Why a run cannot be stepped by what is hosted; a host that has said nothing serves no queue.
pub(crate) fn lack(hosted: Option<&Hosted>, run: &Identity) -> ParkReason {
    let (queue, workflow_type) = (&run.task_queue, &run.workflow_type);
    let (code, message) = if hosted.is_some_and(|hosted| hosted.serves(queue)) {
        let message = format!(
            "no worker hosts the workflow type {workflow_type:?}: register it with a worker of \
             the task queue {queue:?}"
        );
        (code::UNKNOWN_TYPE, message)
    } else {
        (code::NO_WORKER, no_worker(queue))
    };
    ParkReason {
        code: code.to_owned(),
        message,
        ..ParkReason::default()
    }
}

/// Why what belongs to a task queue waits.
pub(crate) fn no_worker(task_queue: &str) -> String {
    format!("no worker serves the task queue {task_queue:?}: start a Worker with it")
}
