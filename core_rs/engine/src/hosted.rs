//! What the host has: the task queues that it serves, with the workers of each.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::input::{Build, ParkReason, ServedQueue};
use crate::parking::code;
use crate::run::Identity;

/// Between a task queue and a version, where the line of a version is named.
const OF_VERSION: char = '\0';

/// What one worker has for its task queue.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// The version of the worker, if it says one.
    pub(crate) version: Option<Arc<Build>>,
    types: Arc<FxHashSet<Arc<str>>>,
    pinned: Arc<FxHashSet<Arc<str>>>,
}

impl Offer {
    /// Whether it has the workflow type.
    pub(crate) fn has(&self, workflow_type: &str) -> bool {
        self.types.contains(workflow_type)
    }

    /// Whether runs of the type stay on its version.
    pub(crate) fn pins(&self, workflow_type: &str) -> bool {
        self.pinned.contains(workflow_type)
    }

    /// Whether its version has this name.
    pub(crate) fn is_of(&self, name: &str) -> bool {
        self.name().is_some_and(|own| *own == *name)
    }

    /// The name of its version.
    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.version.as_ref().map(|build| build.name())
    }
}

/// The workers of each task queue that is served, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Hosted(FxHashMap<Arc<str>, Vec<Offer>>);

impl Hosted {
    /// What the host has said that it has.
    pub(crate) fn new(queues: Vec<ServedQueue>) -> Self {
        let mut served: FxHashMap<Arc<str>, Vec<Offer>> = FxHashMap::default();
        for queue in queues {
            let offer = Offer {
                version: queue.version,
                types: Arc::new(queue.workflow_types.into_iter().collect()),
                pinned: Arc::new(queue.pinned_types.into_iter().collect()),
            };
            served.entry(queue.task_queue).or_default().push(offer);
        }
        Self(served)
    }

    /// The workers of a task queue.
    pub(crate) fn offers(&self, task_queue: &str) -> &[Offer] {
        self.0.get(task_queue).map_or(&[], Vec::as_slice)
    }
}

/// The name of the line in which the activities of runs wait that stay on a version.
pub(crate) fn line_of(task_queue: &str, version: &str) -> Arc<str> {
    format!("{task_queue}{OF_VERSION}{version}").into()
}

/// The task queue of a line, and the version if it is one's own.
#[must_use]
pub fn line_parts(line: &str) -> (&str, Option<&str>) {
    match line.split_once(OF_VERSION) {
        Some((task_queue, version)) => (task_queue, Some(version)),
        None => (line, None),
    }
}

/// Why a run waits that no worker can step now.
pub(crate) fn lack(message: &str) -> ParkReason {
    ParkReason {
        code: code::NO_WORKER.to_owned(),
        message: message.to_owned(),
        ..ParkReason::default()
    }
}

/// Why a run waits whose type the worker that is to step it does not have.
pub(crate) fn lack_of_type(run: &Identity, offer: &Offer) -> ParkReason {
    let (queue, workflow_type) = (&run.task_queue, &run.workflow_type);
    let of_version = offer
        .name()
        .map_or_else(String::new, |name| format!(" and the version {name}"));
    ParkReason {
        code: code::UNKNOWN_TYPE.to_owned(),
        message: format!(
            "no worker hosts the workflow type {workflow_type:?}: register it with a worker of \
             the task queue {queue:?}{of_version}"
        ),
        ..ParkReason::default()
    }
}

/// Why what is in a line waits that no worker serves.
pub(crate) fn no_worker(line: &str) -> String {
    match line_parts(line) {
        (queue, None) => {
            format!("no worker serves the task queue {queue:?}: start a Worker with it")
        }
        (queue, Some(version)) => no_pinned(queue, version),
    }
}

/// Why what stays on a version waits.
pub(crate) fn no_pinned(task_queue: &str, version: &str) -> String {
    format!(
        "no worker of version {version} serves the task queue {task_queue:?}, and the run is \
         pinned to it: start one, or move the run by `perdure workflow update-options`"
    )
}

/// Why a run waits that is to go to a version.
pub(crate) fn no_current(task_queue: &str, version: &str) -> String {
    format!(
        "no worker of version {version} serves the task queue {task_queue:?}, and the deployment \
         sends runs there: start one, or make another version the current one"
    )
}
