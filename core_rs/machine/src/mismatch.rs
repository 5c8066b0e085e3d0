//! The typed difference between what history has and what the code now asks.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use perdure_history::{Command, Site};

use crate::compare;

/// The code no longer does what its history says.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// History has a command at `n`; the code asked for another.
    #[error(
        "history has {} at event {n}, but the code now asks for {}",
        Named(recorded),
        Named(asked)
    )]
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
    #[error(
        "history has nothing at event {n}, but the code now asks for {}",
        Named(asked)
    )]
    CommandExtra {
        /// The number at which the command would stand.
        n: u64,
        /// What the code asks.
        asked: Box<Command>,
    },
    /// History has a command that the code did not ask for.
    #[error(
        "history has {} at event {n}, but the code no longer asks for it",
        Named(recorded)
    )]
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

/// A command as a person would name it: what it asks for, and which line asked.
struct Named<'a>(&'a Command);

impl fmt::Display for Named<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", compare::kind_of(self.0))?;
        match self.0 {
            Command::ScheduleActivity(call) => {
                write!(to, " of {:?}", call.name)?;
                write_site(to, &call.site)
            }
            Command::StartTimer { site, .. } => write_site(to, site),
            Command::RecordPatch { id, site, .. } => {
                write!(to, " of {id:?}")?;
                write_site(to, site)
            }
            Command::CancelActivity { command_n } | Command::CancelTimer { command_n } => {
                write!(to, " of the one at {command_n}")
            }
            _ => Ok(()),
        }
    }
}

fn write_site(to: &mut fmt::Formatter<'_>, site: &Site) -> fmt::Result {
    if site.file.is_empty() {
        return Ok(());
    }
    write!(to, " ({}:{} in {})", site.file, site.line, site.function)
}
