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

impl Mismatch {
    /// The number of the record at which history and code part.
    #[must_use]
    pub fn n(&self) -> u64 {
        match self {
            Self::CommandDiffers { n, .. }
            | Self::CommandExtra { n, .. }
            | Self::CommandMissing { n, .. } => *n,
        }
    }

    /// What history has there; `None` when it has nothing.
    #[must_use]
    pub fn recorded(&self) -> Option<Side<'_>> {
        match self {
            Self::CommandDiffers { recorded, .. } | Self::CommandMissing { recorded, .. } => {
                Some(Side::of(recorded))
            }
            Self::CommandExtra { .. } => None,
        }
    }

    /// What the code asks for; `None` when it asks for nothing.
    #[must_use]
    pub fn asked(&self) -> Option<Side<'_>> {
        match self {
            Self::CommandDiffers { asked, .. } | Self::CommandExtra { asked, .. } => {
                Some(Side::of(asked))
            }
            Self::CommandMissing { .. } => None,
        }
    }

    /// The fields that differ, by name, where both sides are commands.
    #[must_use]
    pub fn fields(&self) -> &[FieldDifference] {
        match self {
            Self::CommandDiffers { fields, .. } => fields,
            Self::CommandExtra { .. } | Self::CommandMissing { .. } => &[],
        }
    }
}

/// What one side of a mismatch asks for, and which line asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side<'a> {
    /// The command's kind, as the export of a history names it.
    pub kind: &'static str,
    /// The name of what is asked for, such as the activity's; empty for what has none.
    pub name: &'a str,
    /// The call site, for what has one.
    pub site: Option<&'a Site>,
}

impl<'a> Side<'a> {
    fn of(command: &'a Command) -> Self {
        let (name, site) = match command {
            Command::ScheduleActivity(call) => (&*call.name, Some(&*call.site)),
            Command::RecordPatch { id, site, .. } => (&**id, Some(&**site)),
            Command::StartTimer { site, .. } => ("", Some(&**site)),
            Command::StartChild(child) => (&*child.workflow_type, Some(&*child.site)),
            Command::SignalExternal(signal) => (&*signal.name, Some(&*signal.site)),
            Command::CancelExternal(cancel) => (&*cancel.target.workflow_id, Some(&*cancel.site)),
            _ => ("", None),
        };
        Self {
            kind: compare::kind_of(command),
            name,
            site: site.filter(|site| !site.file.is_empty()),
        }
    }
}

/// A command as a person would name it: what it asks for, and which line asked.
struct Named<'a>(&'a Command);

impl fmt::Display for Named<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Side { kind, name, site } = Side::of(self.0);
        write!(to, "{kind}")?;
        if !name.is_empty() {
            write!(to, " of {name:?}")?;
        }
        if let Command::CancelActivity { command_n }
        | Command::CancelTimer { command_n }
        | Command::CancelChild { command_n } = self.0
        {
            write!(to, " of the one at {command_n}")?;
        }
        if let Some(site) = site {
            write!(to, " ({}:{} in {})", site.file, site.line, site.function)?;
        }
        Ok(())
    }
}
