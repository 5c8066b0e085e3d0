//! The open runs, by id and by name.

use std::sync::Arc;

use perdure_history::RunId;
use rustc_hash::FxHashMap;

use crate::run::Run;

/// The open runs.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    by_id: FxHashMap<RunId, Box<Run>>,
    by_name: FxHashMap<(Arc<str>, Arc<str>), RunId>,
}

impl Runs {
    pub(crate) fn insert(&mut self, run: Run) {
        let identity = &run.identity;
        let name = (
            Arc::clone(&identity.namespace),
            Arc::clone(&identity.workflow_id),
        );
        self.by_name.insert(name, run.id);
        self.by_id.insert(run.id, Box::new(run));
    }

    pub(crate) fn remove(&mut self, id: RunId) {
        if let Some(run) = self.by_id.remove(&id) {
            let identity = &run.identity;
            let name = (
                Arc::clone(&identity.namespace),
                Arc::clone(&identity.workflow_id),
            );
            if self.by_name.get(&name) == Some(&id) {
                self.by_name.remove(&name);
            }
        }
    }

    pub(crate) fn get(&self, id: RunId) -> Option<&Run> {
        self.by_id.get(&id).map(|run| &**run)
    }

    pub(crate) fn get_mut(&mut self, id: RunId) -> Option<&mut Run> {
        self.by_id.get_mut(&id).map(|run| &mut **run)
    }

    pub(crate) fn contains(&self, id: RunId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// The open run of this name.
    pub(crate) fn find(&self, namespace: &Arc<str>, workflow_id: &Arc<str>) -> Option<RunId> {
        self.by_name
            .get(&(Arc::clone(namespace), Arc::clone(workflow_id)))
            .copied()
    }

    /// The ids of all open runs, in order, so that what is done to all is done in one order.
    pub(crate) fn ids(&self) -> Vec<RunId> {
        let mut ids: Vec<RunId> = self.by_id.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.by_id.values().map(|run| &**run)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }
}
