//! The runs of one workflow that follow each other: by continue-as-new, or as further attempts.

use alloc::format;
use core::time::Duration;

use crate::command::RetryPolicy;
use crate::event::RunStarted;
use crate::failure::Failure;
use crate::ids::{MessageId, RunId};
use crate::payload::Payload;
use crate::time::Timestamp;
use crate::worker_version::WorkerVersion;

/// Where a run stands among the runs of its workflow. The default is a run with none before it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(default, deny_unknown_fields))]
pub struct Chain {
    /// The run that this one follows.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub continued_run_id: Option<RunId>,
    /// The first run of the chain; absent in the first one.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub first_run_id: Option<RunId>,
    /// Which attempt this is, from 1; a continued run begins with 1 again.
    pub attempt: u32,
    /// When a failed run is followed by another attempt; none by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub retry_policy: Option<RetryPolicy>,
    /// Why the attempt before failed.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub last_failure: Option<Failure>,
    /// When the whole chain must be over; never by default.
    #[cfg_attr(
        feature = "json",
        serde(rename = "ends_by_us", skip_serializing_if = "Option::is_none")
    )]
    pub ends_by: Option<Timestamp>,
    /// Before when the first turn is not taken.
    #[cfg_attr(
        feature = "json",
        serde(rename = "begins_at_us", skip_serializing_if = "Option::is_none")
    )]
    pub begins_at: Option<Timestamp>,
    /// The longest the whole chain may take, from its first start; no limit by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub execution_timeout: Option<Duration>,
    /// How long after its start the first run begins; at once by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub start_delay: Option<Duration>,
    /// The version of workers that it begins on and stays on; decided by its first turn by default.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub pinned_to: Option<WorkerVersion>,
}

impl Default for Chain {
    fn default() -> Self {
        Self {
            continued_run_id: None,
            first_run_id: None,
            attempt: 1,
            retry_policy: None,
            last_failure: None,
            ends_by: None,
            begins_at: None,
            execution_timeout: None,
            start_delay: None,
            pinned_to: None,
        }
    }
}

impl Chain {
    /// The same with its spans as instants, once the start has been received at `now`.
    #[must_use]
    pub fn begun(&self, now: Timestamp) -> Self {
        let mut begun = self.clone();
        begun.ends_by = begun
            .ends_by
            .or(self.execution_timeout.map(|span| now + span));
        begun.begins_at = begun.begins_at.or(self.start_delay.map(|span| now + span));
        begun
    }
}

/// Whether the run is the first of its workflow and has nothing special.
pub(crate) fn is_default(chain: &Chain) -> bool {
    *chain == Chain::default()
}

/// The run that follows one, and how it begins.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Successor {
    /// Its id.
    pub run: RunId,
    /// Its start: of the same workflow, with the same options, unless changed since.
    pub start: RunStarted,
}

impl Successor {
    /// The run that follows `run` when that closes at `at`. All that is new in it is drawn from
    /// the id of the run before, so that it is the same whenever it is asked for.
    #[must_use]
    pub fn of(run: RunId, started: &RunStarted, at: Timestamp) -> Self {
        let next = run.successor(at);
        let digest = Payload(bytes::Bytes::copy_from_slice(&next.0)).digest().0;
        let chain = Chain {
            continued_run_id: Some(run),
            first_run_id: Some(started.chain.first_run_id.unwrap_or(run)),
            attempt: 1,
            last_failure: None,
            begins_at: None,
            start_delay: None,
            ..started.chain.clone()
        };
        let start = RunStarted {
            message_id: MessageId(format!("{run}.next")),
            seed: u64::try_from(digest >> 64).unwrap_or_default(),
            origin: next,
            version: None,
            chain,
            ..started.clone()
        };
        Self { run: next, start }
    }
}
