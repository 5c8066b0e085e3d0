//! Which version of a deployment runs go to that are not pinned. A deployment is a run of its own,
//! and says so in its search attributes: what is written there counts from that very write on.

use std::sync::Arc;

use perdure_history::{Event, Payload, Record, RecordBody, SearchValue, VisibilityChange};
use rustc_hash::FxHashMap;

use crate::context::Context;
use crate::run::{Identity, Run};

/// The task queue and the workflow type of deployments.
const DEPLOYMENT: (&str, &str) = ("perdure.system", "perdure.deployment");
/// How the workflow ids of deployments begin.
const PREFIX: &str = "perdure-deployment:";
const CURRENT: &str = "perdure.current_build_id";
const RAMPING: &str = "perdure.ramping_build_id";
const PERCENTAGE: &str = "perdure.ramping_percentage";
/// Into so many parts runs are divided by their ids.
const PARTS: u128 = 10_000;

/// Where one deployment sends runs.
#[derive(Clone, Debug, Default)]
struct Rules {
    current: Option<String>,
    ramping: Option<String>,
    percentage: f64,
}

/// All deployments, by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Routing(FxHashMap<(Arc<str>, String), Rules>);

/// A change to search attributes: none is what is taken away.
pub(crate) type Changes = [(String, Option<SearchValue>)];

/// The deployment that a run is, if it is one.
pub(crate) fn deployment_of(run: &Identity) -> Option<&str> {
    if (&*run.task_queue, &*run.workflow_type) != DEPLOYMENT {
        return None;
    }
    run.workflow_id.strip_prefix(PREFIX)
}

/// What a write says of versions of workers besides the run's own.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Whether the run was moved to another version.
    pub(crate) moved: bool,
    /// Where runs go, if the run is a deployment.
    rules: Vec<(String, Option<SearchValue>)>,
}

impl Told {
    pub(crate) fn of(run: &Run, records: &[Record], change: &VisibilityChange) -> Self {
        let moves = |record: &Record| {
            matches!(record.body, RecordBody::Event(Event::OptionsUpdated { .. }))
        };
        let rules = match deployment_of(&run.identity) {
            Some(_) => change.search_attributes.clone(),
            None => Vec::new(),
        };
        Self {
            moved: records.iter().any(moves),
            rules,
        }
    }
}

impl Context {
    /// A write is durable: what it says of where runs go counts from now on.
    pub(crate) fn heed(&mut self, run: &Run, told: &Told, ends: bool) {
        if !told.rules.is_empty() {
            self.routing.change(&run.identity, &told.rules);
            self.routing_changed = true;
        }
        if ends {
            self.routing.remove(&run.identity);
        }
    }
}

impl Routing {
    /// Takes note of what a deployment says.
    pub(crate) fn change(&mut self, run: &Identity, changes: &Changes) {
        let Some(name) = deployment_of(run) else {
            return;
        };
        let key = (Arc::clone(&run.namespace), name.to_owned());
        let rules = self.0.entry(key).or_default();
        for (name, value) in changes {
            let text = match value {
                Some(SearchValue::Keyword(text)) if !text.is_empty() => Some(text.clone()),
                _ => None,
            };
            match (name.as_str(), value) {
                (CURRENT, _) => rules.current = text,
                (RAMPING, _) => rules.ramping = text,
                (PERCENTAGE, Some(SearchValue::Double(percentage))) => {
                    rules.percentage = *percentage;
                }
                _ => {}
            }
        }
    }

    /// Forgets a deployment that has ended.
    pub(crate) fn remove(&mut self, run: &Identity) {
        if let Some(name) = deployment_of(run) {
            self.0
                .remove(&(Arc::clone(&run.namespace), name.to_owned()));
        }
    }

    /// The build that a run goes to, the same whenever it is asked for with the same rules.
    pub(crate) fn target(&self, run: &Identity, deployment: &str) -> Option<&str> {
        let key = (Arc::clone(&run.namespace), deployment.to_owned());
        let rules = self.0.get(&key)?;
        let ramping = rules.ramping.as_deref().filter(|_| {
            let share = part_of(&run.workflow_id) * 100.0;
            share < rules.percentage
        });
        ramping.or(rules.current.as_deref())
    }
}

/// A number from 0 to 1 that is the workflow id's own.
fn part_of(workflow_id: &str) -> f64 {
    let digest = Payload(bytes::Bytes::copy_from_slice(workflow_id.as_bytes())).digest();
    let part = u32::try_from(digest.0 % PARTS).unwrap_or_default();
    f64::from(part) / 10_000.0
}
