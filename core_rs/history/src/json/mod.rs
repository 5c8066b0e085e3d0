//! A history as JSON lines, for people, for tools, and for golden files: lossless both ways
//! (feature `json`).
//!
//! ```text
//! {"perdure_history":1,"run":"01932c07…"}
//! {"batch":{"epoch":1,"flags":0}}
//! {"n":1,"at_us":1767225600000000,"event":{"kind":"run_started",…}}
//! {"n":2,"at_us":1767225600000000,"command":{"kind":"schedule_activity",…}}
//! ```
//!
//! A line `batch` begins a turn. A payload is `{"value": …}` where its bytes can be made again
//! from the JSON value, and `{"hex": "…"}` else. Hashes and checksums are not exported: import
//! makes them anew, and what one [`BatchEncoder`](crate::BatchEncoder) wrote comes back byte for
//! byte.

pub(crate) mod float;
mod lines;
pub(crate) mod optional_float;
mod scalar;
mod value;

pub use lines::{ImportError, export, import};
