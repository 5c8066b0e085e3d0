//! The world of one seed: an engine that may be down, its store, its host, workers and clients.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{
    AppendFailure, Effect, Engine, EngineOptions, Input, LAST_RECORD, ParkReason, Reply,
    ResetFound, Route, ServedQueue, ServiceReport, Task, TaskReport, Turn, TurnOutcome, TurnReport,
};
use perdure_history::{RunId, TaskId, Timestamp};
use perdure_store::{Append, AppendError, SimulatedStore, Store, StoreError};

use crate::checkers::Checkers;
use crate::clients::{Clients, TASK_QUEUE, WORKFLOW_TYPE, answer_of, run_of};
use crate::coverage::Coverage;
use crate::fail_points::{self, Way};
use crate::instance::{Instance, Stop};
use crate::owners::Former;
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
    /// To a service: which tasks do you hold?
    Inventory(Arc<str>),
    /// To the engine.
    Report(TaskReport),
    /// To the engine.
    Service(ServiceReport),
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
    /// What happened, and how often.
    pub coverage: Coverage,
    /// The engine that owned the store before, and does not know that another one does.
    pub former: Option<Former>,
    /// Whether the engine takes no new work and is to end in order.
    pub draining: bool,
    /// Runs that were deleted when they were old, and runs that another one kept from starting.
    pub forgotten: BTreeSet<RunId>,
    /// The latest instant that the running engine was told.
    pub latest: Timestamp,
    /// Whether the store fails to be read at times.
    pub unreadable: bool,
    /// The write at which the machine is to stop, and where in it.
    pub armed: Option<(&'static str, Way)>,
    pub(crate) options: EngineOptions,
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
            maximum_turn_events: 1 + random.below(8),
            seed: random.next_u64(),
            retention: match random.below(3) {
                0 => None,
                1 => Some(Duration::from_secs(5 + random.below(120) as u64)),
                _ => EngineOptions::default().retention,
            },
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
            coverage: Coverage::default(),
            former: None,
            draining: false,
            forgotten: BTreeSet::new(),
            latest: Timestamp::default(),
            unreadable: true,
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
        self.latest = self.now;
        self.serve(TASK_QUEUE, &[WORKFLOW_TYPE])
    }

    /// The host says which task queue it serves, and which workflow types it has for it.
    ///
    /// # Errors
    /// A broken promise.
    pub fn serve(&mut self, task_queue: &str, workflow_types: &[&str]) -> Kept {
        let served = ServedQueue {
            task_queue: Arc::from(task_queue),
            workflow_types: workflow_types.iter().map(|name| Arc::from(*name)).collect(),
            maximum_concurrent_activities: 1 + self.random.below(5),
            ..ServedQueue::default()
        };
        self.input(Input::Hosted(vec![served]))
    }

    /// The engine's process ends at once. On a machine crash the disk loses what was not synced.
    ///
    /// # Errors
    /// A broken promise.
    pub fn crash(&mut self, machine: bool) -> Kept {
        self.engine = None;
        self.draining = false;
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
        self.latest = self.latest.max(now);
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
        self.latest = self.latest.max(now);
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
            self.coverage.note("life: stopped");
            self.crash(false)?;
        }
        Ok(())
    }

    /// What the engine asks of the store, and the answer.
    fn find(&mut self, effect: Effect) -> Kept {
        match effect {
            Effect::FindStart { message_id } => {
                let outcome = self.store.started_by(&message_id);
                self.input(Input::StartFound {
                    message_id,
                    outcome,
                })
            }
            Effect::FindUpdate { run, message_id } => {
                let outcome = self.store.read(run, 1);
                self.input(Input::UpdateFound {
                    run,
                    message_id,
                    outcome,
                })
            }
            Effect::ReadForReset { run, message_id } => {
                let made = self.store.started_by(&message_id);
                let read = made.and_then(|made| Ok((made, self.store.read(run, 1)?)));
                let outcome = read.map(|(made, batches)| ResetFound { made, batches });
                self.input(Input::ResetRead {
                    run,
                    message_id,
                    outcome,
                })
            }
            _ => Ok(()),
        }
    }

    fn perform_one(&mut self, effect: Effect) -> Kept {
        match effect {
            Effect::Step(turn) => self.process.turns.push(turn),
            Effect::Append { ticket, append } => self.process.appends.push_back((ticket, *append)),
            Effect::Load { run, from_n } => self.process.loads.push((run, from_n)),
            Effect::Dispatch(task) => {
                self.checkers.dispatched(&task, &self.store)?;
                if matches!(task.route, Route::TaskQueue(_)) {
                    self.coverage.note("effect: dispatch, local");
                    self.workers.take(*task);
                } else {
                    self.coverage.note("effect: dispatch, remote");
                    self.wire.push(Wire::Dispatch(task));
                }
            }
            Effect::CancelTask { task, service, .. } => {
                self.coverage.note("effect: cancel a task");
                if service.is_some() {
                    self.wire.push(Wire::Cancel(task));
                } else {
                    self.workers.cancel(task);
                }
            }
            Effect::TakeInventory { service, .. } => {
                self.coverage.note("effect: inventory");
                self.wire.push(Wire::Inventory(service));
            }
            Effect::Reply { to, reply } => {
                self.coverage.note(answer_of(&reply));
                if let Reply::NotFound { run } = reply
                    && self.forgotten.contains(&run)
                {
                    self.clients.forget(run);
                }
                if let Some(wish) = self.clients.answer(to, &reply) {
                    if let (Reply::AlreadyStarted { .. }, Some(run)) = (&reply, run_of(&wish.body))
                    {
                        self.forgotten.insert(run);
                        self.clients.forget(run);
                    }
                    self.tell(|| format!("{} is answered {reply:?}", wish.id.0));
                    self.checkers.answered(&wish, &reply, &self.store)?;
                }
            }
            Effect::FindStart { .. } | Effect::FindUpdate { .. } | Effect::ReadForReset { .. } => {
                return self.find(effect);
            }
            Effect::Evict { run } => {
                self.coverage.note("effect: evict");
                self.process.instances.remove(&run);
            }
            Effect::Consumed { run, message_id } => {
                self.coverage.note("effect: consumed");
                self.tell(|| format!("{} leaves the inbox", message_id.0));
                drop(self.store.discard(run, &message_id));
            }
            Effect::Retain { closed_before } => return self.retain(closed_before),
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
            ..
        } = self.process.turns.swap_remove(index);
        self.checkers.stepped(run, &self.store)?;
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
                self.coverage.note("turn: idle");
                self.process.instances.insert(run, instance);
                TurnOutcome::Idle
            }
            Err(Stop::Bug) => {
                self.coverage.note("turn: parked");
                TurnOutcome::Parked(ParkReason {
                    code: "BUG".to_owned(),
                    ..ParkReason::default()
                })
            }
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
            self.coverage.note(name);
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
        // A run that was deleted meanwhile is not there to be written to.
        let forgotten = self.forgotten.contains(&append.run);
        if matches!(result, Err(AppendError::Fenced { .. })) && !forgotten {
            let what = format!("{result:?}");
            return Err(Violation {
                law: "the only owner is not fenced",
                what,
            });
        }
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
        let outcome = if self.unreadable && self.random.percent(2) {
            self.coverage.note("fault: unreadable");
            self.tell(|| format!("run {run} cannot be read"));
            Err(StoreError::Io {
                path: "simulated".to_owned(),
                reason: "simulated".to_owned(),
            })
        } else {
            durable.read(run, first_n)
        };
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
            let mut report = self.service_report(service);
            report.slots = slots;
            self.input(Input::Service(report))?;
        }
        Ok(())
    }

    /// What a service says of itself.
    #[must_use]
    pub fn service_report(&self, service: &str) -> ServiceReport {
        ServiceReport {
            service: Arc::from(service),
            slots: 4,
            activities: Vec::new(),
            held: self.workers.inventory(service),
        }
    }
}
