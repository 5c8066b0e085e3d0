//! The stored form of batches: a subset of `MessagePack`, drawn to the byte in
//! `docs/internals/history-format.md`.
//!
//! A body is an array of fields in a fixed order. Fields that equal their default are left out at
//! the end, and a missing field reads as its default, so that a later version of the same format
//! may add an optional field at the end and still read everything. A *longer* array than known is
//! refused ([`BatchError::NewerField`](crate::BatchError)): to skip it would be a guess.

pub(crate) mod chain;
pub(crate) mod child;
pub(crate) mod command;
pub(crate) mod common;
pub(crate) mod event;
pub(crate) mod failure;
pub mod kind;
pub(crate) mod options;
pub(crate) mod priority;
pub(crate) mod rate_limit;
pub(crate) mod reader;
pub(crate) mod reset;
pub(crate) mod search;
pub(crate) mod site;
pub(crate) mod writer;
