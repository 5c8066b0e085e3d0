//! The promises, one a file. Each is checked as soon as it could be broken.

mod acknowledged;
mod attempts;
mod completion;
mod effects;
mod ended;
mod forgery;
mod history;
mod replay;
mod timers;

use std::collections::BTreeMap;

use perdure_engine::{Reply, Task};
use perdure_history::{RunId, TaskId};
use perdure_store::{Append, SimulatedStore};

use crate::clients::Wish;
use crate::instance::Instance;
use crate::program::Node;
use crate::world::{Kept, Violation};

/// All checkers, over one view of the durable histories.
#[derive(Debug, Default)]
pub struct Checkers {
    histories: BTreeMap<RunId, history::History>,
    dispatches: BTreeMap<TaskId, u32>,
    refusals: BTreeMap<TaskId, u32>,
}

impl Checkers {
    /// An append was synced and is about to be answered.
    ///
    /// # Errors
    /// A broken promise.
    pub fn synced(&mut self, append: &Append, store: &SimulatedStore) -> Kept {
        self.refresh(append.run, store)
    }

    /// The store was opened again after whatever happened.
    ///
    /// # Errors
    /// A broken promise.
    pub fn after_reopen(&mut self, store: &SimulatedStore) -> Kept {
        let runs: Vec<RunId> = self.histories.keys().copied().collect();
        runs.into_iter()
            .try_for_each(|run| self.refresh(run, store))
    }

    /// A task leaves the engine.
    ///
    /// # Errors
    /// A broken promise.
    pub fn dispatched(&mut self, task: &Task, store: &SimulatedStore) -> Kept {
        self.refresh(task.id.run, store)?;
        let times = self.dispatches.entry(task.id).or_default();
        *times += 1;
        let refusals = self.refusals.get(&task.id).copied().unwrap_or(0);
        attempts::check_dispatches(task.id, *times, refusals)?;
        match self.histories.get(&task.id.run) {
            Some(history) => effects::check_dispatch(task, history, store),
            None => broken(effects::LAW, format!("{} left before its run", task.id)),
        }
    }

    /// The engine was told that no worker began a task.
    pub fn refused(&mut self, task: TaskId) {
        *self.refusals.entry(task).or_default() += 1;
    }

    /// A client got an answer.
    ///
    /// # Errors
    /// A broken promise.
    pub fn answered(&mut self, wish: &Wish, reply: &Reply, store: &SimulatedStore) -> Kept {
        for run in acknowledged::runs(reply, wish) {
            self.refresh(run, store)?;
        }
        acknowledged::check(wish, reply, &self.histories, store)
    }

    /// A fresh instance replays what is durable, beside the live one if there is one.
    ///
    /// # Errors
    /// A broken promise.
    pub fn replayed(
        &mut self,
        run: RunId,
        live: Option<&Instance>,
        fresh: Instance,
        store: &SimulatedStore,
    ) -> Kept {
        self.refresh(run, store)?;
        self.histories
            .get(&run)
            .map_or(Ok(()), |history| replay::check(run, history, live, fresh))
    }

    /// The world has healed and nothing is open.
    ///
    /// # Errors
    /// A broken promise.
    pub fn ended(&mut self, store: &SimulatedStore, programs: &BTreeMap<RunId, Node>) -> Kept {
        for (run, program) in programs {
            self.refresh(*run, store)?;
            let history = self.histories.get(run);
            ended::check(*run, history)?;
            if let Some(history) = history {
                replay::check(*run, history, None, Instance::new(program.clone()))?;
            }
        }
        Ok(())
    }

    fn refresh(&mut self, run: RunId, store: &SimulatedStore) -> Kept {
        let history = self
            .histories
            .entry(run)
            .or_insert_with(|| history::History::new(run));
        let known = history.records.len();
        history.refresh(store)?;
        for index in known..history.records.len() {
            completion::check(history, index)?;
            timers::check(history, index)?;
            attempts::check(history, index)?;
            forgery::check(history, index)?;
        }
        Ok(())
    }
}

fn broken<T>(law: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { law, what })
}
