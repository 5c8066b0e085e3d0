//! The two profiles of payloads, and why a value is refused.

mod instant;
mod json_reader;
mod json_writer;
mod path;
pub(crate) mod reader;
pub(crate) mod writer;

pub(crate) use json_reader::from_json;
pub(crate) use json_writer::{base64, to_json};
pub use path::{Reason, Refusal};
pub(crate) use reader::validate;

/// Lists and maps inside one another in one payload.
pub(crate) const MAXIMUM_DEPTH: usize = 128;

/// The same in a whole document: the envelope stands around the payload.
pub(crate) const MAXIMUM_DOCUMENT_DEPTH: usize = 160;

/// `MessagePack` extension types.
pub(crate) mod extension {
    pub(crate) const TIMESTAMP: i8 = -1;
    pub(crate) const DURATION: i8 = 1;
    pub(crate) const DECIMAL: i8 = 2;
    pub(crate) const UUID: i8 = 3;
}

#[cfg(test)]
mod tests;
