//! How much of a history is values: besides its length, what makes a run slow to replay.

use crate::command::Command;
use crate::event::Event;
use crate::payload::Payload;

impl Event {
    /// The bytes of the values that it brings: the same live and when it is replayed.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::RunStarted(started) => {
                let signal = started.signal.as_ref();
                started.arguments.0.len() + signal.map_or(0, |signal| signal.arguments.0.len())
            }
            Self::ActivityCompleted { result, .. } | Self::ChildCompleted { result, .. } => {
                result.0.len()
            }
            Self::SignalReceived { arguments, .. } | Self::UpdateAccepted { arguments, .. } => {
                arguments.0.len()
            }
            Self::ActivityCancelled { details, .. } | Self::ChildCancelled { details, .. } => {
                length(details.as_ref())
            }
            Self::ActivityAttemptFailed {
                heartbeat_details, ..
            } => length(heartbeat_details.as_ref()),
            _ => 0,
        }
    }
}

impl Command {
    /// The bytes of the values that it holds.
    #[must_use]
    pub fn value_bytes(&self) -> usize {
        match self {
            Self::ScheduleActivity(asked) => asked.arguments.0.len(),
            Self::StartChild(child) => child.arguments.0.len(),
            Self::SignalExternal(signal) => signal.arguments.0.len(),
            Self::CompleteUpdate { result, .. } => result.0.len(),
            _ => 0,
        }
    }
}

fn length(value: Option<&Payload>) -> usize {
    value.map_or(0, |value| value.0.len())
}
