//! The local store: SQLite in WAL mode, one owner, many readers.
//!
//! Four files lie side by side: `app.db` (histories, index, visibility), `app.db-inbox` (what other
//! processes post), `app.db-lock` (who owns the store) and `app.db-socket` (live traffic; this
//! crate only names it). SQLite adds `-wal` and `-shm` to the first two.

mod append;
mod checksum;
mod chunks;
mod code;
mod durable;
mod error;
mod head;
mod inbox;
mod inline;
mod lock;
mod message;
mod narrowing;
mod open_counts;
mod owner;
mod page_checks;
mod paths;
mod query;
mod rates;
mod reader;
mod recover;
mod retain;
mod schema;
mod search;
mod visibility;
mod wal;

pub use chunks::StoredSize;
pub use inbox::Inbox;
pub use lock::{Owner, Standby};
pub use owner::LocalStore;
pub use paths::StorePaths;
pub use reader::{Checked, LocalReader};
