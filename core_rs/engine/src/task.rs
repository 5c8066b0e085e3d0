//! What a worker gets, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{Failure, IdempotencyKey, Payload, TaskId, Timestamp};

/// Where an activity runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// In this process, by what the host has for the task queue.
    TaskQueue(Arc<str>),
    /// By whatever hosts the service.
    Service(Arc<str>),
}

/// One attempt of one activity, as handed to a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// The attempt's id.
    pub id: TaskId,
    /// Random text that the answer must bear.
    pub nonce: u64,
    /// Where it goes.
    pub route: Route,
    /// The activity's name.
    pub activity: Arc<str>,
    /// The run's namespace.
    pub namespace: Arc<str>,
    /// The user's name for the run.
    pub workflow_id: Arc<str>,
    /// The workflow's registered name.
    pub workflow_type: Arc<str>,
    /// Stable over attempts and crashes.
    pub idempotency_key: IdempotencyKey,
    /// Never goes down: the epoch of the owner that sent it.
    pub fencing_token: u64,
    /// When the activity was scheduled.
    pub scheduled_at: Timestamp,
    /// When this attempt must be over; `NEVER` when nothing limits it.
    pub deadline: Timestamp,
    /// The longest silence allowed.
    pub heartbeat_timeout: Option<Duration>,
    /// What the attempt before recorded last.
    pub heartbeat_details: Option<Payload>,
    /// Why the attempt before failed.
    pub last_failure: Option<Failure>,
    /// Whether it is a local activity: the run's own instance has the code.
    pub local: bool,
    /// The number of the command that began its session; 0 in that command itself.
    pub session: Option<u64>,
    /// User headers.
    pub headers: Vec<(String, String)>,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
}

/// A worker's word on one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskReport {
    /// The attempt.
    pub id: TaskId,
    /// The nonce it came with; a report with another nonce is dropped.
    pub nonce: u64,
    /// What happened.
    pub outcome: TaskOutcome,
}

/// What happened to a task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TaskOutcome {
    /// A worker began the attempt.
    Accepted,
    /// The worker is alive, and may have progress to keep.
    Heartbeat {
        /// Progress, any value.
        details: Option<Payload>,
    },
    /// It succeeded.
    Completed {
        /// What it returned.
        result: Payload,
    },
    /// It failed (an `Application` failure, as raised).
    Failed {
        /// Why.
        failure: Failure,
    },
    /// It ended because of a cancel.
    Cancelled {
        /// Details given, one encoded list.
        details: Option<Payload>,
    },
    /// No worker began it: dispatch again after a short wait; the attempt is not used up.
    NotStarted {
        /// Why, for `describe`: no worker, busy, draining, unknown activity.
        reason: String,
        /// The worker's wish for the wait.
        retry_after: Option<Duration>,
    },
    /// Its code has returned; the outcome comes later, from elsewhere, by the attempt's token.
    Detached,
    /// The worker that held it is gone; the attempt counts.
    Lost(Lost),
}

/// How a worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Its process or connection ended.
    Disconnected,
    /// After a restart, nobody claimed the task in time.
    Unclaimed,
}

/// What is known of a service's workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceReport {
    /// The service.
    pub service: Arc<str>,
    /// How many tasks its live instances can take together; 0 when none is alive.
    pub slots: usize,
    /// The activities they host.
    pub activities: Vec<String>,
    /// Tasks that its instances say they hold (liveness, or the answer to an inventory).
    pub held: Vec<TaskId>,
}
