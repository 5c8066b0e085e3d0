//! The replay machine of one run: it contains no clock, disk, thread, randomness or Python, and
//! `#![no_std]` makes the compiler keep that promise.
//!
//! It says what the workflow sees next ([`Activation`]), checks or numbers what the workflow asks
//! ([`perdure_history::Command`]), and tells the engine what a committed turn causes ([`Effect`]).
#![no_std]

extern crate alloc;

pub mod activation;
mod compare;
pub mod effect;
pub mod error;
pub mod flags;
pub mod machine;
pub mod mismatch;
mod operations;

pub use activation::Activation;
pub use effect::{ClosedStatus, DropReason, Effect};
pub use error::MachineError;
pub use machine::{Machine, RecordedTurn, Submitted};
pub use mismatch::{Mismatch, Side};
