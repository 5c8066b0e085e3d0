//! The world of one seed: an engine that may be down, its store, its host, workers and clients.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{
    AppendFailure, Effect, Engine, EngineOptions, Input, LAST_RECORD, ParkReason, Reply, Route,
    ServiceReport, Task, TaskReport, Turn, TurnOutcome, TurnReport,
};
use perdure_history::{RunId, TaskId, Timestamp};
use perdure_store::{Append, AppendError, SimulatedStore, Store};

use crate::checkers::Checkers;
use crate::clients::{Clients, WORKFLOW_TYPE};
use crate::fail_points::{self, Way};
use crate::instance::{Instance, Stop};
use crate::program::{self, Node, SERVICES};
use crate::random::Random;
use crate::workers::Workers;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {what}")]
pub struct Violation {
    /// Which promise.
    pub law: &'static str,
    /// How.
    pub what: String,
}

/// Whether all promises hold.
pub type Kept = Result<(), Violation>;

/// What is on its way over the network.
#[derive(Clone, Debug)]
pub enum Wire {
    /// To a remote worker.
    Dispatch(Box<Task>),
    /// To a remote worker.
    Cancel(TaskId),
    /// To the engine.
    Report(TaskReport),
}

/// What waits to be done by the runtime or the host of a running engine.
#[derive(Debug, Default)]
pub struct Process {
    /// Runs to step.
    pub turns: Vec<Turn>,
    /// Writes that are ready.
    pub appends: VecDeque<(u64, Append)>,
    /// Writes that are written and not synced, with what the store said.
    pub written: Vec<(u64, Append, Result<(), AppendError>)>,
    /// Reads.
    pub loads: Vec<(RunId, u64)>,
    /// Reports of local workers.
    pub reports: Vec<TaskReport>,
    /// Live instances.
    pub instances: BTreeMap<RunId, Instance>,
}

/// The world.
#[derive(Debug)]
pub struct World {
    /// All chance.
    pub random: Random,
    /// Absent while the engine is down.
    pub engine: Option<Engine>,
    /// What the running engine's process holds.
    pub process: Process,
    /// The disk.
    pub store: SimulatedStore,
    /// The engine's clock.
    pub now: Timestamp,
    /// What each run does.
    pub programs: BTreeMap<RunId, Node>,
    /// Workers.
    pub workers: Workers,
    /// Clients.
    pub clients: Clients,
    /// The network.
    pub wire: Vec<Wire>,
    /// The version of the workflow code.
    pub version: u32,
    /// The promises.
    pub checkers: Checkers,
    /// What happened, for a person; kept only when asked.
    pub story: Option<Vec<String>>,
    /// How many of each sort of durable write there were.
    pub writes: BTreeMap<&'static str, u64>,
    /// The write at which the machine is to stop, and where in it.
    pub armed: Option<(&'static str, Way)>,
    options: EngineOptions,
}

impl World {
    /// A world with some programs that nobody has started.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut clients = Clients::default();
        let mut programs = BTreeMap::new();
        let count = u8::try_from(1 + random.below(4)).unwrap_or(1);
        for number in 1..=count {
            programs.insert(
                crate::clients::run_id(number),
                program::program(&mut random),
            );
            let run_timeout = random
                .percent(10)
                .then(|| Duration::from_secs(5 + random.below(300) as u64));
            clients.wish_start(number, run_timeout);
        }
        let options = EngineOptions {
            maximum_cached_runs: 1 + random.below(4),
            maximum_concurrent_activities: 1 + random.below(5),
            maximum_turn_events: 1 + random.below(8),
            seed: random.next_u64(),
            ..EngineOptions::default()
        };
        Self {
            random,
            engine: None,
            process: Process::default(),
            store: SimulatedStore::new(),
            now: Timestamp::from_micros(1_700_000_000_000_000),
            programs,
            workers: Workers::default(),
            clients,
            wire: Vec::new(),
            version: 0,
            checkers: Checkers::default(),
            story: None,
            writes: BTreeMap::new(),
            armed: None,
            options,
        }
    }

    /// Notes what happens.
    pub fn tell(&mut self, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(what());
        }
    }

    /// Starts an engine on the store.
    ///
    /// # Errors
    /// A broken promise.
    pub fn start_engine(&mut self) -> Kept {
        self.store.reopen();
        self.options.epoch = self.store.epoch();
        let recovery = self.store.recover().map_err(|error| Violation {
            law: "the store recovers",
            what: error.to_string(),
        })?;
        self.checkers.after_reopen(&self.store)?;
        self.engine = Some(Engine::new(self.options.clone(), recovery, self.now));
        let hosted = Input::Hosted {
            workflow_types: vec![Arc::from(WORKFLOW_TYPE)],
            activities: Vec::new(),
        };
        self.input(hosted)
    }

    /// The engine's process ends at once. On a machine crash the disk loses what was not synced.
    ///
    /// # Errors
    /// A broken promise.
    pub fn crash(&mut self, machine: bool) -> Kept {
        self.engine = None;
        self.process = Process::default();
        self.workers.lose_local();
        self.clients.disconnect();
        if machine {
            let random = &mut self.random;
            self.store.crash(&mut || random.next_u64());
        }
        Ok(())
    }

    /// Gives the engine an input, and takes its effects apart.
    ///
    /// # Errors
    /// A broken promise.
    pub fn input(&mut self, input: Input) -> Kept {
        let now = self.now;
        if let Some(engine) = &mut self.engine {
            engine.handle_input(now, input);
        }
        self.perform()
    }

    /// Time passes for the engine.
    ///
    /// # Errors
    /// A broken promise.
    pub fn timeout(&mut self) -> Kept {
        let now = self.now;
        if let Some(engine) = &mut self.engine {
            engine.handle_timeout(now);
        }
        self.perform()
    }

    fn perform(&mut self) -> Kept {
        while let Some(effect) = self.engine.as_mut().and_then(Engine::poll_effect) {
            self.perform_one(effect)?;
        }
        if self
            .engine
            .as_ref()
            .is_some_and(|engine| engine.stopped().is_some())
        {
            // The runtime reopens the store: to the rest of the world, a crash and a restart.
            self.tell(|| "the engine stopped".to_owned());
            self.crash(false)?;
        }
        Ok(())
    }

    fn perform_one(&mut self, effect: Effect) -> Kept {
        match effect {
            Effect::Step(turn) => self.process.turns.push(turn),
            Effect::Append { ticket, append } => self.process.appends.push_back((ticket, *append)),
            Effect::Load { run, from_n } => self.process.loads.push((run, from_n)),
            Effect::Dispatch(task) => {
                self.checkers.dispatched(&task, &self.store)?;
                if task.route == Route::Local {
                    self.workers.take(*task);
                } else {
                    self.wire.push(Wire::Dispatch(task));
                }
            }
            Effect::CancelTask { task, service, .. } => {
                if service.is_some() {
                    self.wire.push(Wire::Cancel(task));
                } else {
                    self.workers.cancel(task);
                }
            }
            Effect::TakeInventory { service, .. } => {
                let held = self.workers.inventory(&service);
                return self.input(service_report(&service, held));
            }
            Effect::Reply { to, reply } => {
                if let Some(wish) = self.clients.answer(to, &reply) {
                    self.tell(|| format!("{} is answered {reply:?}", wish.id.0));
                    self.checkers.answered(&wish, &reply, &self.store)?;
                }
            }
            Effect::FindStart { message_id } => {
                let outcome = self.store.started_by(&message_id);
                return self.input(Input::StartFound {
                    message_id,
                    outcome,
                });
            }
            Effect::Evict { run } => {
                self.process.instances.remove(&run);
            }
            Effect::Consumed { run, message_id } => {
                drop(self.store.discard(run, &message_id));
            }
            Effect::Retain { .. } => {}
            other => {
                let what = format!("{other:?}");
                return Err(Violation {
                    law: "the world knows every effect",
                    what,
                });
            }
        }
        Ok(())
    }

    /// The host steps a run.
    ///
    /// # Errors
    /// A broken promise.
    pub fn step_turn(&mut self) -> Kept {
        if self.process.turns.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.process.turns.len());
        let Turn {
            run,
            mut machine,
            replay,
        } = self.process.turns.swap_remove(index);
        let known = self.process.instances.remove(&run);
        let mut instance = match (replay, known) {
            (false, Some(instance)) => instance,
            (true, None) => self.new_instance(run),
            (replay, known) => {
                let what = format!("run {run}: replay {replay}, instance {}", known.is_some());
                return Err(Violation {
                    law: "the engine knows what the host has",
                    what,
                });
            }
        };
        let outcome = match instance.step(&mut machine, self.version) {
            Ok(()) => {
                self.process.instances.insert(run, instance);
                TurnOutcome::Idle
            }
            Err(Stop::Bug) => TurnOutcome::Parked(ParkReason {
                code: "BUG".to_owned(),
                ..ParkReason::default()
            }),
            Err(other) => {
                let what = format!("run {run}: {other:?}");
                return Err(Violation {
                    law: "replay gives what was recorded",
                    what,
                });
            }
        };
        self.tell(|| format!("run {run} is stepped: {outcome:?}"));
        self.input(Input::Turn(TurnReport {
            run,
            machine,
            outcome,
        }))
    }

    /// A fresh instance of a run's program.
    #[must_use]
    pub fn new_instance(&self, run: RunId) -> Instance {
        let nothing = Node::Sequence(Vec::new().into());
        Instance::new(self.programs.get(&run).cloned().unwrap_or(nothing))
    }

    /// Writes what is ready, without a sync.
    ///
    /// # Errors
    /// A broken promise.
    pub fn write(&mut self, count: usize) -> Kept {
        for _ in 0..count {
            let Some((ticket, append)) = self.process.appends.pop_front() else {
                return Ok(());
            };
            self.note_write(&append);
            if let Some((name, way)) = self.armed
                && fail_points::names(&append).contains(&name)
            {
                self.armed = None;
                return self.die(&append, name, way);
            }
            let mut results = self.store.write(std::slice::from_ref(&append));
            let result = results.pop().unwrap_or(Ok(()));
            self.process.written.push((ticket, append, result));
        }
        Ok(())
    }

    /// The armed fail point: the machine stops at this write.
    fn die(&mut self, append: &Append, name: &str, way: Way) -> Kept {
        self.tell(|| format!("dies at {name}, {way:?}, of run {}", append.run));
        let group = std::slice::from_ref(append);
        match way {
            Way::Before => self.crash(true),
            Way::Torn => {
                self.store.write(group);
                self.crash(true)
            }
            // The process alone ends: the operating system still has what was written.
            Way::AfterWrite => {
                self.store.write(group);
                self.crash(false)
            }
            Way::AfterSync => {
                self.store.write(group);
                self.store.sync();
                self.crash(true)
            }
        }
    }

    /// Notes which sorts of durable write an append is.
    pub fn note_write(&mut self, append: &Append) {
        for name in fail_points::names(append) {
            *self.writes.entry(name).or_default() += 1;
        }
    }

    /// Syncs what is written, and answers.
    ///
    /// # Errors
    /// A broken promise.
    pub fn sync(&mut self) -> Kept {
        self.store.sync();
        for (ticket, append, result) in std::mem::take(&mut self.process.written) {
            if self.engine.is_none() {
                return Ok(());
            }
            if result.is_ok() {
                self.checkers.synced(&append, &self.store)?;
            }
            self.answer_append(ticket, append, result)?;
        }
        Ok(())
    }

    /// Answers one append.
    ///
    /// # Errors
    /// A broken promise.
    pub fn answer_append(
        &mut self,
        ticket: u64,
        append: Append,
        result: Result<(), AppendError>,
    ) -> Kept {
        self.tell(|| {
            let names: Vec<_> = fail_points::names(&append);
            format!(
                "append {ticket} of run {} ({names:?}): {result:?}",
                append.run
            )
        });
        let run = append.run;
        let durable = result.is_ok();
        let append = Box::new(append);
        let outcome = result.map_err(|error| AppendFailure { error, append });
        let live = self.process.instances.get(&run).cloned();
        self.input(Input::Appended { ticket, outcome })?;
        if durable && self.random.percent(20) {
            self.check_replay(run, live)?;
        }
        Ok(())
    }

    fn check_replay(&mut self, run: RunId, live: Option<Instance>) -> Kept {
        let fresh = self.new_instance(run);
        self.checkers
            .replayed(run, live.as_ref(), fresh, &self.store)
    }

    /// Answers a read.
    ///
    /// # Errors
    /// A broken promise.
    pub fn load(&mut self) -> Kept {
        if self.process.loads.is_empty() {
            return Ok(());
        }
        let index = self.random.below(self.process.loads.len());
        let (run, from_n) = self.process.loads.swap_remove(index);
        // Only what is durable can be read: a store does not answer between write and sync.
        let durable = self.store.durable();
        let first_n = if from_n == LAST_RECORD {
            let summary = durable.describe(run).ok().flatten();
            summary.map_or(1, |summary| summary.last_n)
        } else {
            from_n
        };
        let outcome = durable.read(run, first_n);
        self.input(Input::Loaded {
            run,
            from_n,
            outcome,
        })
    }

    /// The runs that are open on the disk.
    #[must_use]
    pub fn open_runs(&self) -> BTreeSet<RunId> {
        let recovered = self.store.durable().recover().unwrap_or_default();
        recovered
            .runs
            .iter()
            .map(|(summary, _)| summary.run)
            .collect()
    }

    /// Tells the engine how many tasks each service takes.
    ///
    /// # Errors
    /// A broken promise.
    pub fn report_services(&mut self, slots: usize) -> Kept {
        for service in SERVICES {
            let held = self.workers.inventory(service);
            let mut report = service_report(service, held);
            if let Input::Service(report) = &mut report {
                report.slots = slots;
            }
            self.input(report)?;
        }
        Ok(())
    }

    /// Whether a reply says that a run was started.
    #[must_use]
    pub fn is_started(reply: &Reply) -> bool {
        matches!(reply, Reply::Started { .. })
    }
}

fn service_report(service: &str, held: Vec<TaskId>) -> Input {
    Input::Service(ServiceReport {
        service: Arc::from(service),
        slots: 4,
        activities: Vec::new(),
        held,
    })
}
