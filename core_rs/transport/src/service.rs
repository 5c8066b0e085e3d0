//! What is known of one service's live workers, and the report that the engine gets of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use perdure_engine::ServiceReport;
use perdure_history::TaskId;

use crate::frame::{Encoding, Hello};

/// One worker process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) concurrency: usize,
    pub(crate) activities: Vec<String>,
    pub(crate) accepts_message_pack: bool,
    /// Tasks it holds, as it last said.
    pub(crate) held: BTreeSet<TaskId>,
    /// Whether it takes no more tasks.
    pub(crate) draining: bool,
}

/// The workers of one service, by instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    pub(crate) instances: BTreeMap<String, Instance>,
}

impl Service {
    /// A worker introduced itself.
    pub(crate) fn hello(&mut self, hello: Hello) {
        let held = self
            .instances
            .get(&hello.instance)
            .map(|known| known.held.clone());
        let instance = Instance {
            concurrency: hello.concurrency.max(1),
            activities: hello.activities,
            accepts_message_pack: hello.accepts_message_pack,
            held: held.unwrap_or_default(),
            draining: false,
        };
        self.instances.insert(hello.instance, instance);
    }

    /// What every live instance can read.
    pub(crate) fn encoding(&self) -> Encoding {
        let all = self
            .instances
            .values()
            .all(|instance| instance.accepts_message_pack);
        if all && !self.instances.is_empty() {
            Encoding::MessagePack
        } else {
            Encoding::Json
        }
    }

    /// What the engine is told.
    pub(crate) fn report(&self, service: &Arc<str>) -> ServiceReport {
        let open = || {
            self.instances
                .values()
                .filter(|instance| !instance.draining)
        };
        let activities: BTreeSet<&String> =
            open().flat_map(|instance| &instance.activities).collect();
        let held: BTreeSet<TaskId> = self
            .instances
            .values()
            .flat_map(|instance| &instance.held)
            .copied()
            .collect();
        ServiceReport {
            service: Arc::clone(service),
            slots: open().map(|instance| instance.concurrency).sum(),
            activities: activities.into_iter().cloned().collect(),
            held: held.into_iter().collect(),
        }
    }
}
