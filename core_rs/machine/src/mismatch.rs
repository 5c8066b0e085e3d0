//! The typed difference between what history has and what the code now asks.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use perdure_history::Command;

/// The code no longer does what its history says.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// History has a command at `n`; the code asked for another.
    #[error("history has another command at event {n} than the code now asks for")]
    CommandDiffers {
        /// The number of the recorded command.
        n: u64,
        /// What history has.
        recorded: Box<Command>,
        /// What the code asks.
        asked: Box<Command>,
        /// The fields that differ, by name.
        fields: Vec<FieldDifference>,
    },
    /// The code asked for a command where history has none.
    #[error("the code asks for a command at event {n} where history has none")]
    CommandExtra {
        /// The number at which the command would stand.
        n: u64,
        /// What the code asks.
        asked: Box<Command>,
    },
    /// History has a command that the code did not ask for.
    #[error("history has a command at event {n} that the code no longer asks for")]
    CommandMissing {
        /// The number of the recorded command.
        n: u64,
        /// What history has.
        recorded: Box<Command>,
    },
}

/// One differing field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldDifference {
    /// The field's name.
    pub field: &'static str,
    /// Its value in history, as text.
    pub recorded: String,
    /// Its value now, as text.
    pub asked: String,
}
