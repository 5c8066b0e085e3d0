//! The engine: which run takes a turn, what is dispatched, retried, timed out and re-armed.
//!
//! Its logic ([`engine::Engine`]) is a state machine that takes `now` and inputs and returns
//! effects; [`runtime`] is the thin part with threads and a clock. This is the only crate that
//! reads a clock, and only in `clock.rs`.

pub mod effect;
pub mod engine;
pub mod input;
pub mod task;
pub mod transport;

pub use effect::{Effect, Reply, ReplyTo};
pub use engine::{Engine, EngineOptions};
pub use input::{Input, Message, MessageBody, StartRun, Turn, TurnOutcome, TurnReport};
pub use task::{Lost, Route, ServiceReport, Task, TaskOutcome, TaskReport};
pub use transport::{ReportSink, Transport};
