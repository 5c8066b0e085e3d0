//! The promises, one a file. Each is checked as soon as it could be broken.

mod acknowledged;
mod attempts;
mod completion;
mod effects;
mod ended;
mod forgery;
mod heartbeats;
mod history;
mod messages;
mod order;
mod replay;
mod timers;

use std::collections::{BTreeMap, BTreeSet};

use perdure_engine::{Reply, Task, TaskOutcome, TaskReport};
use perdure_history::{MessageId, RunId, TaskId, Timestamp};
use perdure_store::{Append, RunStatus, SimulatedStore};

use crate::clients::Wish;
use crate::coverage::Coverage;
use crate::instance::Instance;
use crate::program::Node;
use crate::world::{Kept, Violation};

/// All checkers, over one view of the durable histories.
#[derive(Debug, Default)]
pub struct Checkers {
    histories: BTreeMap<RunId, history::History>,
    dispatches: BTreeMap<TaskId, u32>,
    refusals: BTreeMap<TaskId, u32>,
    receipts: order::Receipts,
    acknowledged: BTreeSet<(RunId, MessageId)>,
    deleted: BTreeSet<RunId>,
    /// What was checked, and how often.
    pub coverage: Coverage,
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
        let acknowledged = self.acknowledged.iter().map(|(run, _)| *run);
        let known = self.histories.keys().copied();
        let runs: BTreeSet<RunId> = known.chain(acknowledged).collect();
        runs.into_iter()
            .try_for_each(|run| self.refresh(run, store))?;
        self.still_acknowledged(store)
    }

    fn still_acknowledged(&mut self, store: &SimulatedStore) -> Kept {
        for (run, id) in &self.acknowledged {
            self.coverage.note("check: acknowledged and kept");
            acknowledged::check_kept(*run, id, &self.histories, store)?;
        }
        Ok(())
    }

    /// A message came to an engine or into the inbox.
    pub fn received(&mut self, id: &MessageId, now: Timestamp) {
        self.receipts.message(id, now);
    }

    /// The clock was set back.
    pub fn clock_set_back(&mut self, now: Timestamp) {
        self.receipts.set_back(now);
    }

    /// A worker's word came to an engine.
    pub fn reported(&mut self, report: &TaskReport, now: Timestamp) {
        self.receipts.task(report.id, now);
        if matches!(report.outcome, TaskOutcome::NotStarted { .. }) {
            *self.refusals.entry(report.id).or_default() += 1;
        }
    }

    /// A run was deleted when it was old: nothing of it is known any more.
    pub fn forget(&mut self, run: RunId) {
        self.deleted.insert(run);
        self.histories.remove(&run);
        self.dispatches.retain(|task, _| task.run != run);
        self.refusals.retain(|task, _| task.run != run);
        self.acknowledged.retain(|(other, _)| *other != run);
    }

    /// The host is to step a run.
    ///
    /// # Errors
    /// A broken promise.
    pub fn stepped(&mut self, run: RunId, store: &SimulatedStore) -> Kept {
        self.coverage.note("check: a paused run is not stepped");
        if acknowledged::status(run, store) == Some(RunStatus::Paused) {
            return broken("a paused run takes no turn", format!("run {run}"));
        }
        Ok(())
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
        self.coverage.note("check: dispatch");
        match self.histories.get(&task.id.run) {
            Some(history) => {
                if heartbeats::check_dispatch(task, history)? {
                    self.coverage.note("check: heartbeat details");
                }
                effects::check_dispatch(task, history, store)
            }
            None => broken(effects::LAW, format!("{} left before its run", task.id)),
        }
    }

    /// A client got an answer.
    ///
    /// # Errors
    /// A broken promise.
    pub fn answered(&mut self, wish: &Wish, reply: &Reply, store: &SimulatedStore) -> Kept {
        for run in acknowledged::runs(reply, wish) {
            // It may have been deleted between the answer and now.
            if self.deleted.contains(&run) {
                return Ok(());
            }
            self.refresh(run, store)?;
        }
        acknowledged::check(wish, reply, &self.histories, store)?;
        self.acknowledged.extend(acknowledged::message(wish, reply));
        Ok(())
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
        self.coverage.note(match live {
            Some(_) => "check: replay beside a live run",
            None => "check: replay of a sleeping run",
        });
        self.histories
            .get(&run)
            .map_or(Ok(()), |history| replay::check(run, history, live, fresh))
    }

    /// The world has healed and nothing is open.
    ///
    /// # Errors
    /// A broken promise.
    pub fn ended(
        &mut self,
        store: &SimulatedStore,
        programs: &BTreeMap<RunId, Node>,
        forgotten: &BTreeSet<RunId>,
    ) -> Kept {
        self.still_acknowledged(store)?;
        for (run, program) in programs {
            self.refresh(*run, store)?;
            let gone = forgotten.contains(run) && !self.histories.contains_key(run);
            if gone {
                continue;
            }
            self.coverage.note("check: run ended");
            let history = self.histories.get(run);
            ended::check(*run, history)?;
            if let Some(history) = history {
                replay::check(*run, history, None, Instance::new(program.clone()))?;
            }
        }
        Ok(())
    }

    fn refresh(&mut self, run: RunId, store: &SimulatedStore) -> Kept {
        let mut fresh = history::History::new(run);
        let history = self.histories.get_mut(&run).unwrap_or(&mut fresh);
        let known = history.records.len();
        history.refresh(store)?;
        let mut note = |applies: bool, what| {
            if applies {
                self.coverage.note(what);
            }
        };
        for index in known..history.records.len() {
            note(completion::check(history, index)?, "check: completion");
            note(timers::check(history, index)?, "check: timer");
            let attempted = attempts::check(history, index)?;
            note(attempted, "check: one attempt after the other");
            note(
                messages::check(history, index)?,
                "check: a message is delivered once",
            );
            let ordered = order::check(history, index, &self.receipts)?;
            note(ordered, "check: a timer is not late for an event");
            heartbeats::check(history, index)?;
            forgery::check(history, index)?;
        }
        if !fresh.records.is_empty() {
            self.histories.insert(run, fresh);
        }
        Ok(())
    }
}

fn broken<T>(law: &'static str, what: String) -> Result<T, Violation> {
    Err(Violation { law, what })
}
