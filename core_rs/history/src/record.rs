//! One numbered entry of a history.

use crate::command::Command;
use crate::event::Event;
use crate::time::Timestamp;

/// An entry: its number, when it was recorded, and what it says.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The number, contiguous from 1 in a run.
    pub n: u64,
    /// When it was recorded. All records of one turn share it.
    #[cfg_attr(feature = "json", serde(rename = "at_us"))]
    pub at: Timestamp,
    /// What it says.
    #[cfg_attr(feature = "json", serde(flatten))]
    pub body: RecordBody,
}

/// Both sides of a history in one sequence: `E1 C1… E2 C2…`.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(rename_all = "snake_case"))]
pub enum RecordBody {
    /// A fact from outside.
    Event(Event),
    /// A request of workflow code, caused by the last event before it.
    Command(Command),
}
