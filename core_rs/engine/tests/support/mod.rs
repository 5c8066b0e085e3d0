//! A world for engine tests: the engine, a memory store, a clock that only the test moves, and a
//! host whose workflows are plain functions from activation to commands.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "each test file uses its own part; a broken world is a failed test"
)]

pub(crate) mod crashes;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use perdure_engine::{
    AppendFailure, Effect, Engine, EngineOptions, Input, Message, MessageBody, ParkReason, Query,
    Reply, ReplyTo, ResetFound, ServedQueue, StartRun, Task, TaskOutcome, TaskReport, Turn,
    TurnOutcome, TurnReport,
};
use perdure_history::{
    ActivityOptions, Command, Event, Failure, FailureKind, MessageId, Payload, Record, RecordBody,
    RunId, ScheduleActivity, Site, Timestamp, decode_history,
};
use perdure_machine::{Activation, Machine, MachineError, Submitted};
use perdure_store::{Append, AppendError, InboxMessage, MemoryStore, RunStatus, Store, StoreError};

/// What workflow code asks for when it is told something; `Err` is a bug in it.
pub(crate) type Workflow = fn(&Activation) -> Result<Vec<Command>, &'static str>;

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) store: MemoryStore,
    pub(crate) now: Timestamp,
    pub(crate) options: EngineOptions,
    pub(crate) workflow: Workflow,
    pub(crate) tasks: Vec<Task>,
    pub(crate) replies: Vec<(ReplyTo, Reply)>,
    pub(crate) cancelled: Vec<String>,
    pub(crate) evicted: Vec<RunId>,
    pub(crate) queries: Vec<(RunId, Query)>,
    pub(crate) inventories: Vec<String>,
    pub(crate) appends: usize,
    pub(crate) loads: usize,
    /// Refuses the next appends with these errors.
    pub(crate) refusals: Vec<AppendError>,
    /// Whether what is refused next is written all the same.
    pub(crate) writes_refused: bool,
    /// How many of the next reads fail.
    pub(crate) read_failures: usize,
    /// Whether the host is slow: its turns wait until [`World::step_held`].
    pub(crate) holds_turns: bool,
    held_turns: Vec<Turn>,
    /// Whether histories for resets are read no sooner than in [`World::read_held`].
    pub(crate) holds_reads: bool,
    held_reads: Vec<(RunId, MessageId)>,
    /// The process dies at this append, counted from 1: before it is durable, or right after.
    pub(crate) stops_at: Option<(usize, bool)>,
    /// Whether it has died: nothing is performed until [`World::restart`].
    pub(crate) stopped: bool,
    next_message: u64,
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(crate) fn run_id(number: u8) -> RunId {
    RunId([number; 16])
}

pub(crate) fn payload(text: &str) -> Payload {
    Payload(Bytes::copy_from_slice(text.as_bytes()))
}

pub(crate) fn activity(name: &str, service: Option<&str>, options: ActivityOptions) -> Command {
    Command::ScheduleActivity(Arc::new(ScheduleActivity {
        name: Arc::from(name),
        service: service.map(Arc::from),
        digest: payload("arguments").digest(),
        arguments: payload("arguments"),
        options,
        site: Arc::new(Site::default()),
        headers: Vec::new(),
    }))
}

pub(crate) fn complete(text: &str) -> Command {
    Command::CompleteRun {
        result: payload(text),
    }
}

pub(crate) fn failure(type_name: &str) -> Failure {
    Failure {
        kind: FailureKind::Application {
            type_name: type_name.to_owned(),
            details: None,
            non_retryable: false,
            next_retry_delay: None,
        },
        message: String::new(),
        stack: String::new(),
        cause: None,
    }
}

impl World {
    pub(crate) fn new(workflow: Workflow) -> Self {
        Self::with_options(workflow, EngineOptions::default())
    }

    pub(crate) fn with_options(workflow: Workflow, options: EngineOptions) -> Self {
        let store = MemoryStore::new();
        let recovery = store.recover().unwrap();
        let now = at(1_000);
        let mut world = Self {
            engine: Engine::new(options.clone(), recovery, now),
            store,
            now,
            options,
            workflow,
            tasks: Vec::new(),
            replies: Vec::new(),
            cancelled: Vec::new(),
            evicted: Vec::new(),
            queries: Vec::new(),
            inventories: Vec::new(),
            appends: 0,
            loads: 0,
            refusals: Vec::new(),
            writes_refused: false,
            read_failures: 0,
            holds_turns: false,
            held_turns: Vec::new(),
            holds_reads: false,
            held_reads: Vec::new(),
            stops_at: None,
            stopped: false,
            next_message: 0,
        };
        world.host(&["audit"]);
        world
    }

    pub(crate) fn host(&mut self, types: &[&str]) {
        self.serve(&[("default", types, 200)]);
    }

    /// Says which task queues the host serves: name, workflow types, most activities at once.
    pub(crate) fn serve(&mut self, queues: &[(&str, &[&str], usize)]) {
        let served = queues.iter().map(|(queue, types, most)| ServedQueue {
            task_queue: Arc::from(*queue),
            workflow_types: types.iter().map(|name| Arc::from(*name)).collect(),
            maximum_concurrent_activities: *most,
            maximum_concurrent_sessions: 1,
            ..ServedQueue::default()
        });
        self.input(Input::Hosted(served.collect()));
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.engine.handle_input(self.now, input);
        self.perform();
    }

    /// Kills the engine and starts another on the same store.
    pub(crate) fn restart(&mut self) {
        self.store = std::mem::take(&mut self.store).reopened();
        self.options.epoch = self.store.epoch();
        self.tasks.clear();
        self.held_turns.clear();
        self.held_reads.clear();
        self.stopped = false;
        self.stops_at = None;
        let recovery = self.store.recover().unwrap();
        self.engine = Engine::new(self.options.clone(), recovery, self.now);
        self.perform();
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.now = due.max(self.now);
            self.engine.handle_timeout(self.now);
            self.perform();
        }
        self.now = until;
        self.engine.handle_timeout(self.now);
        self.perform();
    }

    fn perform(&mut self) {
        while !self.stopped
            && let Some(effect) = self.engine.poll_effect()
        {
            match effect {
                Effect::Step(turn) if self.holds_turns => self.held_turns.push(turn),
                Effect::Step(turn) => {
                    let report = step(self.workflow, turn);
                    self.engine.handle_input(self.now, Input::Turn(report));
                }
                Effect::Append { ticket, append } => self.append(ticket, append),
                Effect::FindStart { message_id } => {
                    let outcome = self.store.started_by(&message_id);
                    self.engine.handle_input(
                        self.now,
                        Input::StartFound {
                            message_id,
                            outcome,
                        },
                    );
                }
                Effect::FindUpdate { run, message_id } => {
                    let found = Input::UpdateFound {
                        outcome: self.store.read(run, 1),
                        run,
                        message_id,
                    };
                    self.engine.handle_input(self.now, found);
                }
                Effect::ReadForReset { run, message_id } if self.holds_reads => {
                    self.held_reads.push((run, message_id));
                }
                Effect::ReadForReset { run, message_id } => self.read_for_reset(run, message_id),
                Effect::Load { run, from_n } => self.load(run, from_n),
                Effect::Dispatch(task) => self.tasks.push(*task),
                Effect::CancelTask { task, .. } => self.cancelled.push(task.to_string()),
                Effect::Reply { to, reply } => self.replies.push((to, reply)),
                Effect::Evict { run } => self.evicted.push(run),
                Effect::Query { run, query } => self.queries.push((run, query)),
                Effect::TakeInventory { service, .. } => self.inventories.push(service.to_string()),
                Effect::Consumed { run, message_id } => {
                    self.store.discard(run, &message_id).unwrap();
                }
                _ => {}
            }
        }
    }

    fn append(&mut self, ticket: u64, append: Box<Append>) {
        self.appends += 1;
        if let Some((_, durable)) = self.stops_at.filter(|(at, _)| *at == self.appends) {
            self.stopped = true;
            if durable {
                self.store.append(&[*append]).unwrap().remove(0).unwrap();
            }
            return;
        }
        let refused = (!self.refusals.is_empty()).then(|| self.refusals.remove(0));
        let mut written = || {
            let group = [*append.clone()];
            self.store.append(&group).unwrap().remove(0)
        };
        let result = match refused {
            Some(error) => {
                if self.writes_refused {
                    written().unwrap();
                }
                Err(error)
            }
            None => written(),
        };
        let outcome = result.map_err(|error| AppendFailure { error, append });
        self.engine
            .handle_input(self.now, Input::Appended { ticket, outcome });
    }

    fn read_for_reset(&mut self, run: RunId, message_id: MessageId) {
        let made = self.store.started_by(&message_id).unwrap();
        let batches = self.store.read(run, 1);
        let outcome = batches.map(|batches| ResetFound { made, batches });
        let read = Input::ResetRead {
            run,
            message_id,
            outcome,
        };
        self.engine.handle_input(self.now, read);
    }

    fn load(&mut self, run: RunId, from_n: u64) {
        self.loads += 1;
        let first_n = if from_n == perdure_engine::LAST_RECORD {
            let found = self.store.describe(run).unwrap();
            found.map_or(1, |summary| summary.last_n)
        } else {
            from_n
        };
        let mut outcome = self.store.read(run, first_n);
        if self.read_failures > 0 {
            self.read_failures -= 1;
            let (path, reason) = ("memory".to_owned(), "unreadable".to_owned());
            outcome = Err(StoreError::Io { path, reason });
        }
        let loaded = Input::Loaded {
            run,
            from_n,
            outcome,
        };
        self.engine.handle_input(self.now, loaded);
    }

    /// The slow host steps the turns that wait; those that follow wait in their turn.
    pub(crate) fn step_held(&mut self) {
        for turn in std::mem::take(&mut self.held_turns) {
            let report = step(self.workflow, turn);
            self.input(Input::Turn(report));
        }
    }

    /// Histories for resets are read now, and from now on.
    pub(crate) fn read_held(&mut self) {
        self.holds_reads = false;
        for (run, message_id) in std::mem::take(&mut self.held_reads) {
            self.read_for_reset(run, message_id);
        }
        self.perform();
    }

    pub(crate) fn send(&mut self, body: MessageBody) -> ReplyTo {
        self.next_message += 1;
        let id = format!("m{}", self.next_message);
        self.send_as(&id, body)
    }

    pub(crate) fn send_as(&mut self, id: &str, body: MessageBody) -> ReplyTo {
        self.next_message += 1;
        let reply_to = ReplyTo(self.next_message);
        let message_id = MessageId(id.to_owned());
        self.input(Input::Message(Message {
            message_id,
            reply_to: Some(reply_to),
            body,
        }));
        reply_to
    }

    pub(crate) fn start_run(&mut self, number: u8) -> RunId {
        self.start_with(number, None);
        run_id(number)
    }

    pub(crate) fn start_with(&mut self, number: u8, run_timeout: Option<Duration>) -> ReplyTo {
        self.start_as(number, &format!("workflow-{number}"), run_timeout)
    }

    pub(crate) fn start_named(&mut self, number: u8, workflow_id: &str) -> ReplyTo {
        self.start_as(number, workflow_id, None)
    }

    fn start_as(
        &mut self,
        number: u8,
        workflow_id: &str,
        run_timeout: Option<Duration>,
    ) -> ReplyTo {
        let start = StartRun {
            run_timeout,
            ..self.start_of(number, workflow_id)
        };
        self.send_as(
            &format!("start-{number}"),
            MessageBody::Start(Box::new(start)),
        )
    }

    pub(crate) fn start_of(&self, number: u8, workflow_id: &str) -> StartRun {
        StartRun {
            run: run_id(number),
            namespace: "default".to_owned(),
            workflow_id: workflow_id.to_owned(),
            workflow_type: Arc::from("audit"),
            task_queue: "default".to_owned(),
            arguments: payload("arguments"),
            seed: 7,
            run_timeout: None,
            memo: Vec::new(),
            headers: Vec::new(),
            chain: perdure_history::Chain::default(),
            parent: None,
            signal: None,
            search_attributes: Vec::new(),
            id_policy: perdure_history::IdPolicy::default(),
            priority: perdure_history::Priority::default(),
            update: None,
        }
    }

    pub(crate) fn report(&mut self, task: &Task, outcome: TaskOutcome) {
        self.input(Input::Task(TaskReport {
            id: task.id,
            nonce: task.nonce,
            outcome,
        }));
    }

    pub(crate) fn complete(&mut self, text: &str) {
        let task = self.tasks.remove(0);
        self.report(
            &task,
            TaskOutcome::Completed {
                result: payload(text),
            },
        );
    }

    pub(crate) fn fail(&mut self, type_name: &str) {
        let task = self.tasks.remove(0);
        self.report(
            &task,
            TaskOutcome::Failed {
                failure: failure(type_name),
            },
        );
    }

    pub(crate) fn signal(&mut self, run: RunId, id: &str) -> ReplyTo {
        let (name, arguments) = ("go".to_owned(), payload(id));
        self.send_as(
            id,
            MessageBody::Signal {
                run,
                name,
                arguments,
            },
        )
    }

    pub(crate) fn reply_to(&self, to: ReplyTo) -> Option<&Reply> {
        self.replies
            .iter()
            .find(|(other, _)| *other == to)
            .map(|(_, reply)| reply)
    }

    pub(crate) fn result(&mut self, run: RunId) -> Option<Reply> {
        let to = self.send(MessageBody::AwaitResult { run });
        self.reply_to(to).cloned()
    }

    /// The history, one word a record.
    pub(crate) fn history(&self, run: RunId) -> Vec<String> {
        self.records(run)
            .iter()
            .map(|record| word(&record.body))
            .collect()
    }

    pub(crate) fn status(&self, run: RunId) -> Option<RunStatus> {
        self.store.describe(run).unwrap().map(|found| found.status)
    }

    /// What lies in the store's inbox.
    pub(crate) fn inbox(&self) -> Vec<InboxMessage> {
        self.store.recover().unwrap().inbox
    }

    pub(crate) fn records(&self, run: RunId) -> Vec<Record> {
        let batches = self.store.read(run, 1).unwrap();
        decode_history(run, &batches).unwrap()
    }
}

pub(crate) fn word(body: &RecordBody) -> String {
    let text = match body {
        RecordBody::Event(Event::RunStarted(_)) => "RunStarted".to_owned(),
        RecordBody::Event(event) => format!("{event:?}"),
        RecordBody::Command(Command::ScheduleActivity(asked)) => {
            format!("ScheduleActivity:{}", asked.name)
        }
        RecordBody::Command(command) => format!("{command:?}"),
    };
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

pub(crate) fn step(workflow: Workflow, turn: Turn) -> TurnReport {
    let Turn {
        run, mut machine, ..
    } = turn;
    let outcome = match drive(workflow, &mut machine) {
        Ok(()) => TurnOutcome::Idle,
        Err(Stop::Bug(message)) => TurnOutcome::Parked(ParkReason {
            code: "BUG".to_owned(),
            message: message.to_owned(),
            ..ParkReason::default()
        }),
        Err(Stop::Machine(error)) => TurnOutcome::Mismatch(error),
    };
    TurnReport {
        run,
        machine,
        outcome,
    }
}

enum Stop {
    Bug(&'static str),
    Machine(MachineError),
}

fn drive(workflow: Workflow, machine: &mut Machine) -> Result<(), Stop> {
    while let Some(activation) = machine.poll_activation().map_err(Stop::Machine)? {
        for command in workflow(&activation).map_err(Stop::Bug)? {
            match machine.submit(command).map_err(Stop::Machine)? {
                Submitted::Accepted { .. } => {}
                Submitted::ArgumentsDiffer { .. } => panic!("the test's arguments are constant"),
            }
        }
    }
    Ok(())
}
