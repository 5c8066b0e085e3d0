//! Who owns the store: an engine that ends in order, one that another takes over from without its
//! knowing, and what an owner deletes.

use std::collections::BTreeSet;

use perdure_engine::{AppendFailure, Effect, Engine, Input, Reply, TurnOutcome, TurnReport};
use perdure_history::{RunId, Timestamp};
use perdure_store::{AppendError, RunFilter, Store};

use crate::instance::Instance;
use crate::world::{Kept, Process, Violation, World};

/// An engine that owned the store before, with what its process holds.
#[derive(Debug)]
pub struct Former {
    engine: Engine,
    process: Process,
}

const LAW: &str = "a former owner changes nothing and says nothing";

impl World {
    /// Another engine opens the store, while the one before it only seems to be gone.
    ///
    /// # Errors
    /// A broken promise.
    pub fn take_over(&mut self) -> Kept {
        let Some(engine) = self.engine.take() else {
            return Ok(());
        };
        self.tell(|| "the store is taken over".to_owned());
        self.coverage.note("life: taken over");
        let mut process = std::mem::take(&mut self.process);
        // What it wrote is in the store; it never hears of that.
        process.written.clear();
        self.crash(false)?;
        self.former = Some(Former { engine, process });
        self.start_engine()
    }

    /// The former owner does something.
    ///
    /// # Errors
    /// A broken promise.
    pub fn step_former(&mut self) -> Kept {
        let Some(mut former) = self.former.take() else {
            return Ok(());
        };
        if let Some((ticket, append)) = former.process.appends.pop_front() {
            let result = self.store.write(std::slice::from_ref(&append)).pop();
            let Some(Err(error @ AppendError::Fenced { .. })) = result else {
                let what = format!("a write under epoch {} gave {result:?}", append.epoch);
                return Err(Violation {
                    law: "a former owner is fenced",
                    what,
                });
            };
            self.coverage.note("life: fenced");
            let append = Box::new(append);
            let outcome = Err(AppendFailure { error, append });
            let input = Input::Appended { ticket, outcome };
            former.engine.handle_input(self.now, input);
        } else if let Some(turn) = former.process.turns.pop() {
            let known = former.process.instances.remove(&turn.run);
            let instance = known.unwrap_or_else(|| self.new_instance(turn.run));
            former.step(instance, turn, self.version, self.now);
        } else {
            former.engine.handle_timeout(self.now);
        }
        let kept = former.perform();
        if self.random.percent(95) {
            self.former = Some(former);
        }
        kept
    }

    /// The engine takes no new work, and ends once nothing is under way.
    ///
    /// # Errors
    /// A broken promise.
    pub fn drain(&mut self) -> Kept {
        self.draining = self.engine.is_some();
        self.tell(|| "the engine drains".to_owned());
        self.input(Input::Drain)
    }

    /// Ends a draining engine in which nothing is under way.
    ///
    /// # Errors
    /// A broken promise.
    pub fn end_drained(&mut self) -> Kept {
        if !self.draining || !self.engine.as_ref().is_some_and(Engine::is_drained) {
            return Ok(());
        }
        let busy = self.process.appends.len() + self.process.written.len();
        if busy > 0 || !self.process.turns.is_empty() {
            let what = format!("{busy} writes and {} turns", self.process.turns.len());
            return Err(Violation {
                law: "a drained engine has nothing under way",
                what,
            });
        }
        self.tell(|| "the engine has drained".to_owned());
        self.coverage.note("life: drained");
        self.crash(false)
    }

    /// Deletes what is old: closed runs, and no others.
    pub(crate) fn retain(&mut self, closed_before: Timestamp) -> Kept {
        self.coverage.note("effect: retain");
        let runs = |world: &Self| -> BTreeSet<RunId> {
            let all = world.store.list(&RunFilter::default());
            all.unwrap_or_default().iter().map(|one| one.run).collect()
        };
        let before = runs(self);
        let closed_at = |run: RunId| {
            let summary = self.store.describe(run).ok().flatten();
            summary.and_then(|summary| summary.closed_at)
        };
        let old: BTreeSet<RunId> = before
            .iter()
            .filter(|run| closed_at(**run).is_some_and(|at| at < closed_before))
            .copied()
            .collect();
        let Some(kept_for) = self.options.retention else {
            let what = "nothing is to be deleted".to_owned();
            return Err(Violation { law: DELETED, what });
        };
        if closed_before + kept_for > self.latest {
            let what = format!("runs closed before {closed_before:?} are no older than that");
            return Err(Violation { law: DELETED, what });
        }
        drop(self.store.retain(closed_before, 100));
        let after = runs(self);
        for run in before.difference(&after) {
            if !old.contains(run) {
                let what = format!("run {run}");
                return Err(Violation { law: DELETED, what });
            }
            self.tell(|| format!("run {run} is deleted"));
            self.coverage.note("life: deleted when old");
            self.forgotten.insert(*run);
            self.clients.forget(*run);
            self.checkers.forget(*run);
        }
        Ok(())
    }
}

const DELETED: &str = "only closed runs past their retention are deleted";

impl Former {
    fn step(
        &mut self,
        mut instance: Instance,
        turn: perdure_engine::Turn,
        version: u32,
        now: Timestamp,
    ) {
        let (run, mut machine) = (turn.run, turn.machine);
        // Its instances are its own, and nobody compares them with anything.
        let outcome = match instance.step(&mut machine, version) {
            Ok(()) => TurnOutcome::Idle,
            Err(_) => TurnOutcome::Parked(perdure_engine::ParkReason::default()),
        };
        self.process.instances.insert(run, instance);
        let report = TurnReport {
            run,
            machine,
            outcome,
        };
        self.engine.handle_input(now, Input::Turn(report));
    }

    fn perform(&mut self) -> Kept {
        while let Some(effect) = self.engine.poll_effect() {
            match effect {
                Effect::Append { ticket, append } => {
                    self.process.appends.push_back((ticket, *append));
                }
                Effect::Step(turn) => self.process.turns.push(turn),
                Effect::Reply {
                    reply: Reply::Refused { .. } | Reply::Parked { .. },
                    ..
                }
                | Effect::Load { .. }
                | Effect::Evict { .. }
                | Effect::CancelTask { .. }
                | Effect::TakeInventory { .. }
                | Effect::Retain { .. } => {}
                other => {
                    let what = format!("{other:?}");
                    return Err(Violation { law: LAW, what });
                }
            }
        }
        Ok(())
    }
}
