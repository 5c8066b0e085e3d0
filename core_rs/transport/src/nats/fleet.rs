//! Who is there: services and their instances, as they announce themselves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_engine::ServiceReport;
use perdure_history::TaskId;
use tokio::time::Instant;

use crate::frame::{Encoding, Hello};
use crate::service::Service;

/// After how long a service that nobody announced is tried again: a worker may never have said
/// hello while this engine listened.
const PROBE_AFTER: Duration = Duration::from_secs(5);

/// How many tasks try it.
const PROBES: usize = 16;

/// All services that were named or have announced themselves.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    services: BTreeMap<Arc<str>, Service>,
    /// The service of each instance, and when it was last heard of.
    instances: BTreeMap<String, (Arc<str>, Instant)>,
    /// Services without a known instance, and when they are tried again.
    absent: BTreeMap<Arc<str>, Instant>,
}

impl Fleet {
    /// Takes note of a service's name; `true` the first time.
    pub(super) fn meet(&mut self, service: &Arc<str>) -> bool {
        if self.services.contains_key(service) {
            return false;
        }
        self.services
            .insert(Arc::clone(service), Service::default());
        true
    }

    pub(super) fn services(&self) -> Vec<Arc<str>> {
        self.services.keys().cloned().collect()
    }

    /// What every live instance of a service can read.
    pub(super) fn encoding(&self, service: &Arc<str>) -> Encoding {
        self.services
            .get(service)
            .map(Service::encoding)
            .unwrap_or_default()
    }

    /// Whether a live instance says that it holds the task.
    pub(super) fn holds(&self, service: &Arc<str>, task: &TaskId) -> bool {
        let mut known = self
            .services
            .get(service)
            .into_iter()
            .flat_map(|known| known.instances.values());
        known.any(|instance| instance.held.contains(task))
    }

    pub(super) fn hello(&mut self, service: &Arc<str>, hello: Hello, now: Instant) {
        self.absent.remove(service);
        self.instances
            .insert(hello.instance.clone(), (Arc::clone(service), now));
        self.services
            .entry(Arc::clone(service))
            .or_default()
            .hello(hello);
    }

    /// An instance lives; `false` when it has not said hello to this engine.
    pub(super) fn liveness(
        &mut self,
        service: &Arc<str>,
        instance: &str,
        concurrency: usize,
        tasks: Vec<TaskId>,
        now: Instant,
    ) -> bool {
        let known = self.services.get_mut(service);
        let Some(known) = known.and_then(|known| known.instances.get_mut(instance)) else {
            return false;
        };
        known.concurrency = concurrency.max(1);
        known.held = tasks.into_iter().collect();
        self.instances
            .insert(instance.to_owned(), (Arc::clone(service), now));
        true
    }

    pub(super) fn draining(&mut self, service: &Arc<str>, instance: &str) {
        let known = self.services.get_mut(service);
        if let Some(known) = known.and_then(|known| known.instances.get_mut(instance)) {
            known.draining = true;
        }
    }

    /// Nobody answers for a service; `true` when nobody is known of it either.
    pub(super) fn nobody_answers(&mut self, service: &Arc<str>, now: Instant) -> bool {
        let none = self
            .services
            .get(service)
            .is_none_or(|known| known.instances.is_empty());
        if none {
            self.absent.insert(Arc::clone(service), now + PROBE_AFTER);
        }
        none
    }

    /// Reports that let a few tasks try services that have long been absent.
    pub(super) fn probes(&mut self, now: Instant) -> Vec<ServiceReport> {
        let due = |(service, at): (&Arc<str>, &Instant)| (*at <= now).then(|| Arc::clone(service));
        let services: Vec<Arc<str>> = self.absent.iter().filter_map(due).collect();
        let probe = |service: Arc<str>| {
            self.absent.remove(&service);
            let slots = PROBES;
            ServiceReport {
                slots,
                ..Service::default().report(&service)
            }
        };
        services.into_iter().map(probe).collect()
    }

    /// Nothing could be heard for a while: every silence begins anew.
    pub(super) fn heard_nothing_until(&mut self, now: Instant) {
        for (_, heard_at) in self.instances.values_mut() {
            *heard_at = now;
        }
    }

    /// Forgets instances that have been silent for too long; gives their services.
    pub(super) fn forget_silent(&mut self, now: Instant, silence: Duration) -> Vec<Arc<str>> {
        let silent = |(instance, (_, heard_at)): (&String, &(Arc<str>, Instant))| {
            (now.duration_since(*heard_at) > silence).then(|| instance.clone())
        };
        let gone: Vec<String> = self.instances.iter().filter_map(silent).collect();
        let mut services = Vec::new();
        for instance in gone {
            if let Some((service, _)) = self.instances.remove(&instance) {
                if let Some(known) = self.services.get_mut(&service) {
                    known.instances.remove(&instance);
                }
                services.push(service);
            }
        }
        services
    }

    /// What the engine is told of a service.
    pub(super) fn report(&self, service: &Arc<str>) -> Option<ServiceReport> {
        self.services
            .get(service)
            .map(|known| known.report(service))
    }
}
