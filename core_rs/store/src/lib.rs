//! The durable log of runs, its index, inbox and fences.
//!
//! Time is handed to this crate; it knows no machine, network or Python. What a turn writes is one
//! [`Append`]: atomic, fenced and durable, or not there at all.

pub mod append;
mod check;
#[cfg(feature = "testing")]
pub mod fail_points;
#[cfg(not(feature = "testing"))]
#[path = "fail_points_off.rs"]
mod fail_points;
pub mod filter;
pub mod local;
pub mod memory;
pub mod query;
#[cfg(feature = "testing")]
pub mod simulated;
pub mod store;
#[cfg(feature = "testing")]
pub mod validation;

pub use append::{
    Append, AppendError, Close, InboxMessage, IndexChange, NewRun, Outstanding, OutstandingKind,
    RateMark, RunStatus, StatusChange,
};
pub use filter::{Cursor, QueryError, RunQuery, Search, parse as parse_query};
pub use local::{Checked, Inbox, LocalReader, LocalStore, Owner, Standby, StorePaths, StoredSize};
pub use memory::MemoryStore;
pub use query::{RunFilter, RunSummary};
#[cfg(feature = "testing")]
pub use simulated::{CrashImage, Fault, SimulatedStore};
pub use store::{Recovery, Store, StoreError};
