//! The durable log of runs, its index, inbox and fences.
//!
//! Time is handed to this crate; it knows no machine, network or Python. What a turn writes is one
//! [`Append`]: atomic, fenced and durable, or not there at all.

pub mod append;
mod check;
pub mod local;
pub mod memory;
pub mod query;
pub mod store;
#[cfg(feature = "testing")]
pub mod validation;

pub use append::{
    Append, AppendError, Close, InboxMessage, IndexChange, NewRun, Outstanding, OutstandingKind,
    RunStatus, StatusChange,
};
pub use local::{Inbox, LocalReader, LocalStore, Owner, Standby, StorePaths};
pub use memory::MemoryStore;
pub use query::{RunFilter, RunSummary};
pub use store::{Recovery, Store, StoreError};
