//! Foreign workers over stdio and NATS: the only crate with wire types.
//!
//! Everything that crosses is one document of the bridge protocol (`bridges/protocol/README.md`).
//! Inside, a document is `MessagePack`, the storage form of payloads, so that payloads are spliced
//! in and cut out without being decoded; the JSON profile is transcoded at the edge.

mod document;
mod failure;
mod frame;
pub mod nats;
pub mod nats_server;
mod payload;
mod service;
pub mod stdio;
#[cfg(test)]
mod vectors;

pub use nats::{NatsAddress, NatsError, NatsOptions, NatsTransport};
pub use nats_server::{NatsServer, NatsServerError};
pub use payload::{Reason, Refusal};
pub use stdio::{StdioCommand, StdioOptions, StdioTransport};
