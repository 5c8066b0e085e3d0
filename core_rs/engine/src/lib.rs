//! The engine: which run takes a turn, what is dispatched, retried, timed out and re-armed.
//!
//! Its logic ([`engine::Engine`]) is a state machine that takes `now` and inputs and returns
//! effects; [`runtime`] is the thin part with threads and a clock. This is the only crate that
//! reads a clock, and only in `clock.rs`.

mod activity;
pub mod append_failure;
mod asks;
mod attempts;
pub mod clock;
pub mod closing;
mod commit;
mod context;
pub mod describe;
mod detached;
mod dispatch;
pub mod effect;
pub mod engine;
mod eviction;
mod hosted;
mod indexed;
pub mod input;
mod instant;
mod line;
mod loading;
mod local;
pub mod message_codec;
mod messages;
mod options;
pub mod parking;
mod patches;
pub mod pausing;
pub mod payload_codec;
mod pending;
mod placement;
mod posts;
mod queries;
mod queues;
mod random;
mod rate;
mod rate_limits;
mod rated;
mod recovery;
mod relations;
mod renewal;
pub mod reset;
mod retry;
mod route_state;
mod routing;
mod run;
mod runs;
pub mod runtime;
mod sessions;
mod slots;
mod starts;
pub mod task;
#[cfg(test)]
mod testing;
mod tickets;
mod timeouts;
pub mod transport;
mod turn;
mod updates;
mod versions;
mod visibility;
mod wheel;

pub use append_failure::Stopped;
pub use clock::{Clock, SkippingClock};
pub use closing::Closed;
pub use describe::{LiveRun, PendingActivity, Progress};
pub use effect::{Effect, Reply, ReplyTo};
pub use engine::{Engine, EngineOptions};
pub use hosted::line_parts;
pub use input::{
    ActivityWord, AppendFailure, Build, Input, Message, MessageBody, ParkReason, Query,
    ServedQueue, StartRun, StartUpdate, Turn, TurnOutcome, TurnReport, UpdateStage,
};
pub use loading::LAST_RECORD;
pub use message_codec::{Kept, KeptError, decode_message, encode_message};
pub use payload_codec::{PayloadCodec, Seal};
pub use queues::LiveQueue;
pub use reset::{ResetFound, ResetRun};
pub use runtime::{HostWork, Runtime, RuntimeHandle, Skipped};
pub use task::{Lost, Route, ServiceReport, Task, TaskOutcome, TaskReport};
pub use transport::{ReportSink, Transport};
