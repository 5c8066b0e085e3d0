//! The nouns of a run: what happened to it ([`Event`]), what it asked for ([`Command`]), and the
//! versioned, checksummed form in which both are kept ([`batch`]).
//!
//! This crate contains no clock, disk, thread, randomness, wire type or Python: `#![no_std]` makes
//! the compiler keep that promise. Times and ids come in as values.
#![no_std]

extern crate alloc;

pub mod batch;
pub mod chain;
pub mod child;
pub mod codec;
pub mod command;
pub mod event;
pub mod failure;
pub mod history;
pub mod id_policy;
pub mod ids;
#[cfg(feature = "json")]
pub mod json;
pub mod payload;
pub mod payloads;
pub mod priority;
pub mod rate_limit;
pub mod record;
pub mod reset;
pub mod search;
mod size;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod worker_version;

pub use batch::{Batch, BatchEncoder, BatchError, FORMAT_VERSION};
pub use chain::{Chain, Successor};
pub use child::{
    CancelExternal, ExternalRun, Parent, ParentClosePolicy, SignalExternal, StartChild,
};
pub use command::{
    ActivityOptions, CancellationType, Command, LocalOptions, RetryPolicy, ScheduleActivity, Site,
};
pub use event::{Event, RunStarted, StartSignal, Version};
pub use failure::{Failure, FailureKind, RetryState, TimeoutKind};
pub use history::{HistoryError, HistoryReader, decode_history};
pub use id_policy::{IdConflictPolicy, IdPolicy, IdReusePolicy};
pub use ids::{IdempotencyKey, MessageId, RunId, TaskId};
pub use payload::{Digest, Payload};
pub use priority::Priority;
pub use rate_limit::RateLimit;
pub use record::{Record, RecordBody};
pub use reset::{Fork, RunReset};
pub use search::{SearchValue, Visibility, VisibilityChange};
pub use time::Timestamp;
pub use worker_version::WorkerVersion;
