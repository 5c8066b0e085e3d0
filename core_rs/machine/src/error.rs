//! Why the machine cannot go on.

use alloc::string::String;

use crate::mismatch::Mismatch;

/// Why the machine cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The code no longer does what its history says.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// An event contradicts the state of its operation: the history or the engine is wrong.
    #[error("record {n} does not fit the state of command {command_n}: the history is wrong")]
    Contradiction {
        /// The record's number.
        n: u64,
        /// The command it speaks of.
        command_n: u64,
    },
    /// The history has a hole or does not begin with record 1.
    #[error("the history is not contiguous: record {found} follows record {after}")]
    Hole {
        /// The last good number.
        after: u64,
        /// What was found.
        found: u64,
    },
    /// The first record is not the start of a run.
    #[error("the history does not begin with the start of a run")]
    NoStart,
    /// A newer engine wrote the history by rules that this version does not have.
    #[error("the history bears behaviour flags {flags:#x} that only a newer version knows")]
    UnknownFlags {
        /// The unknown bits.
        flags: u64,
    },
    /// The workflow asked for a command after the run was closed.
    #[error("a command was submitted after the run was closed at record {n}")]
    Closed {
        /// The closing record's number.
        n: u64,
    },
    /// The workflow takes back what is not open: the host must not ask for that.
    #[error("{asked} names command {command_n}, which is not open")]
    NotOpen {
        /// The command it speaks of.
        command_n: u64,
        /// The kind of the command that was asked for.
        asked: String,
    },
    /// A command was submitted while nothing is being delivered: the host must not do that.
    #[error("a command was submitted outside the delivery of an event")]
    OutsideTurn,
}
