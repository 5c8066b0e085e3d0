//! Runs that begin with a copy of another run's history: a reset goes on under the same workflow
//! id, a fork under one of its own.

use alloc::string::String;
use alloc::vec::Vec;

use crate::chain::Chain;
use crate::event::{Event, RunStarted};
use crate::ids::{MessageId, RunId};
use crate::record::{Record, RecordBody};
use crate::time::Timestamp;

/// Where the copy ends: the records before this one were written by another run, under the very
/// same numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct RunReset {
    /// The id of the request: the same request again finds this run.
    pub message_id: MessageId,
    /// The run in which the record before this one was written.
    pub run: RunId,
    /// The text given.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "String::is_empty")
    )]
    pub reason: String,
    /// The commands whose results the request gives.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub results: Vec<u64>,
    /// Whether signals and updates that came after the point are not delivered again.
    #[cfg_attr(
        feature = "json",
        serde(default, skip_serializing_if = "core::ops::Not::not")
    )]
    pub drops_messages: bool,
    /// When the whole chain must be over from here on; never by default.
    #[cfg_attr(
        feature = "json",
        serde(rename = "ends_by_us", skip_serializing_if = "Option::is_none")
    )]
    pub ends_by: Option<Timestamp>,
    /// What sets a fork apart from the run it was copied from; absent in a reset.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub fork: Option<Fork>,
}

/// What sets a fork apart.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct Fork {
    /// Its workflow id.
    pub workflow_id: String,
    /// The seed of its random streams from here on.
    pub seed: u64,
    /// The run that its idempotency keys name from here on.
    pub origin: RunId,
}

impl RunStarted {
    /// How a run stands from a reset on: as if it had been started so.
    #[must_use]
    pub fn after(&self, reset: &RunReset) -> Self {
        let mut after = self.clone();
        after.chain.ends_by = reset.ends_by;
        if let Some(fork) = &reset.fork {
            after.workflow_id.clone_from(&fork.workflow_id);
            after.seed = fork.seed;
            after.origin = fork.origin;
            after.parent = None;
            after.chain = Chain {
                retry_policy: after.chain.retry_policy.take(),
                execution_timeout: after.chain.execution_timeout,
                ends_by: reset.ends_by,
                ..Chain::default()
            };
        }
        after
    }

    /// How the run of a history stands at its end; `None` when it does not begin with a start.
    #[must_use]
    pub fn of_history(records: &[Record]) -> Option<Self> {
        let RecordBody::Event(Event::RunStarted(started)) = &records.first()?.body else {
            return None;
        };
        let start = Self::clone(started);
        Some(resets(records).fold(start, |started, (_, reset)| started.after(reset)))
    }
}

/// The places in a history up to which it is a copy, in order, with their numbers.
pub fn resets(records: &[Record]) -> impl Iterator<Item = (u64, &RunReset)> {
    records.iter().filter_map(|record| match &record.body {
        RecordBody::Event(Event::RunReset(reset)) => Some((record.n, &**reset)),
        _ => None,
    })
}
