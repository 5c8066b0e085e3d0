//! What comes into the engine. Each input is handled at a `now` given with it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use perdure_history::{
    Chain, IdPolicy, MessageId, Parent, Payload, Priority, RunId, SearchValue, StartSignal,
    Timestamp, WorkerVersion,
};
use perdure_machine::{Machine, MachineError};
use perdure_store::{Append, AppendError, StoreError};

use crate::effect::ReplyTo;
use crate::reset::{ResetFound, ResetRun};
use crate::task::{ServiceReport, TaskOutcome, TaskReport};

/// One input.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input {
    /// A client's message, from this process or from the inbox.
    Message(Message),
    /// A message that waited in the inbox, with the instant of its receipt there.
    Posted {
        /// The message.
        message: Message,
        /// When it came into the inbox.
        received_at: Timestamp,
    },
    /// The host finished stepping a run.
    Turn(TurnReport),
    /// A worker's word on a task.
    Task(TaskReport),
    /// What is known of a service's workers.
    Service(ServiceReport),
    /// The outcome of an append effect, by its ticket.
    Appended {
        /// The ticket.
        ticket: u64,
        /// What the store said; a failed write comes back, so that its very bytes can be retried.
        outcome: Result<(), AppendFailure>,
    },
    /// The batches asked for by a read effect.
    Loaded {
        /// The run.
        run: RunId,
        /// The first record that was asked for.
        from_n: u64,
        /// Its encoded batches.
        outcome: Result<Vec<Bytes>, StoreError>,
    },
    /// The run that a start message made, asked for by a find effect.
    StartFound {
        /// The message.
        message_id: MessageId,
        /// Its run, open or closed.
        outcome: Result<Option<RunId>, StoreError>,
    },
    /// The history asked for by a find effect, for what became of an update.
    UpdateFound {
        /// The run.
        run: RunId,
        /// The update's id.
        message_id: MessageId,
        /// The run's encoded batches.
        outcome: Result<Vec<Bytes>, StoreError>,
    },
    /// The history asked for by a read effect, for a reset.
    ResetRead {
        /// The run.
        run: RunId,
        /// The request.
        message_id: MessageId,
        /// What the store has for it.
        outcome: Result<ResetFound, StoreError>,
    },
    /// The host cannot keep all runs live: evict this many of the least recently used.
    Evict {
        /// How many.
        count: usize,
    },
    /// The host serves these task queues from now on (a deploy): parked runs are tried again.
    Hosted(Vec<ServedQueue>),
    /// Most attempts of these services at once, over all of their workers; those of others stay.
    ServiceLimits(Vec<(Arc<str>, usize)>),
    /// Take no new work; finish what is begun.
    Drain,
}

/// What the host has for one task queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServedQueue {
    /// The queue's name.
    pub task_queue: Arc<str>,
    /// Registered workflow names.
    pub workflow_types: Vec<Arc<str>>,
    /// Most activities of the queue at once.
    pub maximum_concurrent_activities: usize,
    /// Most sessions of the queue at once; what belongs to them counts as activities.
    pub maximum_concurrent_sessions: usize,
    /// Most activities of the queue that begin in a second; absent for no limit.
    pub maximum_activities_per_second: Option<f64>,
    /// Most attempts of one activity at once, by its name.
    pub activity_limits: Vec<(Arc<str>, usize)>,
    /// The version of the worker, if it says one.
    pub version: Option<Arc<Build>>,
    /// The workflow types of which runs stay on that version.
    pub pinned_types: Vec<Arc<str>>,
}

/// One build of what is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// What is deployed, for instance `shop`.
    pub deployment: Arc<str>,
    /// Which build of it.
    pub build_id: Arc<str>,
}

impl Build {
    /// The version's name.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        format!("{}:{}", self.deployment, self.build_id).into()
    }
}

/// A write that did not happen, or may not have.
#[derive(Debug)]
pub struct AppendFailure {
    /// Why.
    pub error: AppendError,
    /// The write.
    pub append: Box<Append>,
}

/// A message to a run, or one that makes a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Unique for the run's life; a message with a known id is answered, not delivered again.
    pub message_id: MessageId,
    /// Who waits for the answer, if anyone.
    pub reply_to: Option<ReplyTo>,
    /// What it says.
    pub body: MessageBody,
}

/// The sorts of message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum MessageBody {
    /// Begin a run.
    Start(Box<StartRun>),
    /// Deliver a signal.
    Signal {
        /// The run.
        run: RunId,
        /// The signal's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
    /// Deliver an update; the message's id is the update's.
    Update {
        /// The run.
        run: RunId,
        /// The update's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
        /// What the sender waits for.
        stage: UpdateStage,
    },
    /// Answer when an update that was sent before has ended.
    AwaitUpdate {
        /// The run.
        run: RunId,
        /// The update's id.
        update: MessageId,
    },
    /// Ask the run to cancel itself.
    Cancel {
        /// The run.
        run: RunId,
        /// A text for people.
        reason: String,
    },
    /// End the run without running its code.
    Terminate {
        /// The run.
        run: RunId,
        /// A text for people.
        reason: String,
    },
    /// Begin a run with a copy of another one's history, in place of that one or beside it.
    Reset(Box<ResetRun>),
    /// Move a run to another version of its workers.
    UpdateOptions {
        /// The run.
        run: RunId,
        /// The version that it stays on from now on; absent: it goes on to the current one.
        pinned_to: Option<WorkerVersion>,
    },
    /// Try a parked run again now.
    Unpark {
        /// The run.
        run: RunId,
    },
    /// Hold the run: it takes no turn.
    Pause {
        /// The run.
        run: RunId,
        /// A text for people.
        reason: String,
    },
    /// Let a paused run go on.
    Unpause {
        /// The run.
        run: RunId,
    },
    /// What came of an attempt that completes asynchronously.
    Activity(Box<ActivityWord>),
    /// Answer when the run is closed.
    AwaitResult {
        /// The run.
        run: RunId,
    },
    /// Read the run's state, which changes nothing and is not recorded.
    Query {
        /// The run.
        run: RunId,
        /// The query's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
}

impl MessageBody {
    /// The run in whose inbox the message lies; absent for one that makes a run of its own.
    #[must_use]
    pub fn recipient(&self) -> Option<RunId> {
        match self {
            Self::Start(_) => None,
            // The copy that it leads to makes the new run, has the same id, and lies beside it.
            Self::Reset(request) => Some(request.from),
            Self::Activity(word) => Some(word.run),
            Self::Signal { run, .. }
            | Self::Update { run, .. }
            | Self::AwaitUpdate { run, .. }
            | Self::Cancel { run, .. }
            | Self::Terminate { run, .. }
            | Self::UpdateOptions { run, .. }
            | Self::Unpark { run }
            | Self::Pause { run, .. }
            | Self::Unpause { run }
            | Self::AwaitResult { run }
            | Self::Query { run, .. } => Some(*run),
        }
    }
}

/// A client's word on an attempt, in place of its worker's.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityWord {
    /// The run.
    pub run: RunId,
    /// The number of the scheduling command.
    pub command_n: u64,
    /// The attempt and its nonce, from its token; absent: whichever is under way.
    pub token: Option<(u32, u64)>,
    /// Completed, failed, cancelled, or a heartbeat.
    pub outcome: TaskOutcome,
}

/// What the sender of an update waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UpdateStage {
    /// That it is durable and its validator has accepted it.
    #[default]
    Accepted,
    /// What its handler returns.
    Completed,
}

/// A query that waits for its run to be live and idle; the host answers it.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Who waits for the answer.
    pub reply_to: ReplyTo,
    /// The query's name.
    pub name: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
}

/// Everything needed to begin a run. The sender makes the ids: a repeated start is the same one.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRun {
    /// The new run's id (UUIDv7).
    pub run: RunId,
    /// The namespace.
    pub namespace: String,
    /// Unique among the open runs of the namespace.
    pub workflow_id: String,
    /// The workflow's registered name.
    pub workflow_type: Arc<str>,
    /// The task queue.
    pub task_queue: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
    /// The seed of the run's random streams.
    pub seed: u64,
    /// The longest the run may take.
    pub run_timeout: Option<Duration>,
    /// Free-form values for people.
    pub memo: Vec<(String, Payload)>,
    /// User headers.
    pub headers: Vec<(String, String)>,
    /// Where it stands among the runs of its workflow; the default in a client's start.
    pub chain: Chain,
    /// The run that starts it as its child.
    pub parent: Option<Parent>,
    /// A signal that is handled before the workflow begins to run.
    pub signal: Option<StartSignal>,
    /// What the run is found by.
    pub search_attributes: Vec<(String, SearchValue)>,
    /// What the start does about other runs of its workflow id.
    pub id_policy: IdPolicy,
    /// Which of the attempts that wait leaves first.
    pub priority: Priority,
    /// An update that comes with the start: the run has it as soon as it exists.
    pub update: Option<StartUpdate>,
}

impl StartRun {
    /// Whether an open run of the workflow id is to take something of it.
    pub(crate) fn brings_something(&self) -> bool {
        self.signal.is_some() || self.update.is_some()
    }
}

/// An update that a start brings along. An open run of the workflow id takes it instead.
#[derive(Clone, Debug, PartialEq)]
pub struct StartUpdate {
    /// Unique among the run's updates.
    pub id: MessageId,
    /// The update's name.
    pub name: String,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
}

/// A run handed to the host to be stepped. The machine moves with it: while the host has it, the
/// engine cannot touch it, and the other way round.
#[derive(Debug)]
pub struct Turn {
    /// The run.
    pub run: RunId,
    /// Its machine, with the turn begun and events queued.
    pub machine: Box<Machine>,
    /// Whether the host has no instance of this run, so that the machine replays from the start.
    pub replay: bool,
    /// The name of the version of the workers whose code steps it, if they say one.
    pub version: Option<Arc<str>>,
}

/// The host's word on a turn.
#[derive(Debug)]
pub struct TurnReport {
    /// The run.
    pub run: RunId,
    /// Its machine, handed back.
    pub machine: Box<Machine>,
    /// How it went.
    pub outcome: TurnOutcome,
}

/// How a turn went.
#[derive(Debug)]
#[non_exhaustive]
pub enum TurnOutcome {
    /// Everything was delivered and the loop is idle.
    Idle,
    /// A bug or an unknown type: the turn was cut, the host dropped the instance.
    Parked(ParkReason),
    /// The code no longer does what its history says; the host dropped the instance.
    Mismatch(MachineError),
}

/// Why a run is parked, for people and for the retry on new code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkReason {
    /// A code such as `PRD1301`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The traceback, as text.
    pub traceback: String,
    /// A hash of the workflow's code: new code is tried at once.
    pub code_hash: u64,
}
