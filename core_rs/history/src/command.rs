//! What a workflow asks for. Commands are numbered with the events, in one sequence a run.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::chain::Successor;
use crate::child::{CancelExternal, SignalExternal, StartChild};
use crate::failure::Failure;
use crate::payload::{Digest, Payload};
use crate::priority::Priority;
use crate::rate_limit::RateLimit;
use crate::search::SearchValue;
use crate::time::Timestamp;

/// One request of workflow code.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "json",
    serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)
)]
#[non_exhaustive]
pub enum Command {
    /// Run an activity until it succeeds or may not be tried again.
    ScheduleActivity(Arc<ScheduleActivity>),
    /// Cancel the activity scheduled by command `command_n`.
    CancelActivity {
        /// The number of the scheduling command.
        command_n: u64,
    },
    /// Wake the workflow at an instant.
    StartTimer {
        /// When, in the run's time.
        #[cfg_attr(feature = "json", serde(rename = "fire_at_us"))]
        fire_at: Timestamp,
        /// Where the code asked.
        site: Arc<Site>,
    },
    /// Take back the timer started by command `command_n`.
    CancelTimer {
        /// The number of the starting command.
        command_n: u64,
    },
    /// The workflow returned.
    CompleteRun {
        /// What it returned.
        result: Payload,
    },
    /// The workflow failed.
    FailRun {
        /// Why.
        failure: Failure,
        /// The next attempt, when the run is tried again.
        #[cfg_attr(
            feature = "json",
            serde(default, skip_serializing_if = "Option::is_none")
        )]
        next: Option<Arc<Successor>>,
    },
    /// The workflow ended because it was cancelled.
    CancelRun {
        /// The cancellation's details, one encoded list.
        #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
        details: Option<Payload>,
    },
    /// The code takes the new branch of a patch: a marker, of which nothing comes.
    RecordPatch {
        /// The patch.
        id: Arc<str>,
        /// Where the code asked.
        site: Arc<Site>,
        /// Whether the code has the new branch alone, so that it may stop asking.
        #[cfg_attr(
            feature = "json",
            serde(default, skip_serializing_if = "core::ops::Not::not")
        )]
        deprecated: bool,
    },
    /// The workflow ended this run and goes on in another.
    ContinueAsNew(Arc<Successor>),
    /// Begin another run, which reports to this one.
    StartChild(Arc<StartChild>),
    /// Ask the child started by command `command_n` to cancel itself.
    CancelChild {
        /// The number of the starting command.
        command_n: u64,
    },
    /// Signal another run.
    SignalExternal(Arc<SignalExternal>),
    /// Ask another run to cancel itself.
    CancelExternal(Arc<CancelExternal>),
    /// The handler of an update returned.
    CompleteUpdate {
        /// The number of the event that accepted the update.
        event_n: u64,
        /// What it returned.
        result: Payload,
    },
    /// The handler of an update failed.
    FailUpdate {
        /// The number of the event that accepted the update.
        event_n: u64,
        /// Why.
        failure: Failure,
    },
    /// Change what the run is found by.
    SetSearchAttributes {
        /// `(name, value)`; no value takes the name away.
        attributes: Vec<(String, Option<SearchValue>)>,
    },
    /// Change what is said of the run to people.
    SetMemo {
        /// `(key, value)`; no value takes the key away.
        entries: Vec<(String, Option<Payload>)>,
    },
}

/// The arguments and options of one activity call.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct ScheduleActivity {
    /// The activity's name.
    pub name: Arc<str>,
    /// The service that hosts it; absent for an activity of the run's own task queue.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub service: Option<Arc<str>>,
    /// The positional arguments, one encoded list.
    pub arguments: Payload,
    /// The digest of the arguments in canonical form.
    pub digest: Digest,
    /// How to run it.
    #[cfg_attr(
        feature = "json",
        serde(
            default = "crate::codec::options::default_options",
            skip_serializing_if = "crate::codec::options::is_default"
        )
    )]
    pub options: ActivityOptions,
    /// Where the code asked.
    pub site: Arc<Site>,
    /// User headers.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub headers: Vec<(String, String)>,
}

/// How an activity is run. The defaults make hello-world need none.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct ActivityOptions {
    /// The task queue, when not the run's own.
    pub task_queue: Option<Arc<str>>,
    /// From scheduling to the beginning of an attempt; none by default.
    pub schedule_to_start_timeout: Option<Duration>,
    /// One attempt; 1 h by default.
    pub start_to_close_timeout: Option<Duration>,
    /// Everything; none by default.
    pub schedule_to_close_timeout: Option<Duration>,
    /// The longest silence of a worker; none by default.
    pub heartbeat_timeout: Option<Duration>,
    /// When to try again.
    pub retry_policy: RetryPolicy,
    /// What cancelling the call means.
    pub cancellation_type: CancellationType,
    /// Which of the attempts that wait leaves first; the run's own by default.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Priority::is_default")
    )]
    pub priority: Priority,
    /// Present in a local activity: whoever steps the run runs it, past all lines and limits.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub local: Option<LocalOptions>,
    /// The number of the command that began its session; 0 in that command itself.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub session: Option<u64>,
    /// What its attempts share with those of other calls; nothing by default.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub rate_limits: Vec<RateLimit>,
}

/// How a local activity is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct LocalOptions {
    /// A wait before the next attempt that is no longer than this leaves no record.
    pub retry_threshold: Duration,
    /// Whether all that came before it is durable before it begins.
    pub recorded_first: bool,
}

impl Default for ActivityOptions {
    fn default() -> Self {
        Self {
            task_queue: None,
            schedule_to_start_timeout: None,
            start_to_close_timeout: Some(Duration::from_secs(3_600)),
            schedule_to_close_timeout: None,
            heartbeat_timeout: None,
            retry_policy: RetryPolicy::default(),
            cancellation_type: CancellationType::Try,
            priority: Priority::default(),
            local: None,
            session: None,
            rate_limits: Vec::new(),
        }
    }
}

/// Exponential backoff: the wait before attempt k + 1 is
/// min(initial · coefficient^(k − 1), maximum), then up to ±`jitter` of it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct RetryPolicy {
    /// The wait before the second attempt; 1 s by default.
    pub initial_interval: Duration,
    /// The factor from wait to wait, at least 1; 2 by default.
    #[cfg_attr(feature = "json", serde(with = "crate::json::float"))]
    pub backoff_coefficient: f64,
    /// The longest wait; 100 s by default.
    pub maximum_interval: Duration,
    /// The most attempts; 0, the default, is no limit.
    pub maximum_attempts: u32,
    /// Error types that are never retried; none by default.
    pub non_retryable_error_types: Vec<String>,
    /// The share of a wait that chance may take or add, 0 to 1; 0.1 by default.
    #[cfg_attr(feature = "json", serde(with = "crate::json::float"))]
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            initial_interval: Duration::from_secs(1),
            backoff_coefficient: 2.0,
            maximum_interval: Duration::from_secs(100),
            maximum_attempts: 0,
            non_retryable_error_types: Vec::new(),
            jitter: 0.1,
        }
    }
}

/// What cancelling an awaited activity does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum CancellationType {
    /// Tell the worker, and give the workflow its `CancelledError` at once.
    #[default]
    Try,
    /// Tell the worker, and wait for what it answers.
    WaitCompleted,
    /// Do not tell the worker.
    Abandon,
}

/// A place in workflow code: shown in a mismatch, never compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Site {
    /// The source file, as the interpreter names it.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The qualified name of the function.
    pub function: Arc<str>,
    /// A hash of the function's dedented source.
    pub source_hash: u64,
}
