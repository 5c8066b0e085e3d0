//! What a command inherits from its run: recorded with it, so that the engine needs to know no more
//! of the run to put an attempt in its place.

use alloc::sync::Arc;

use perdure_history::{Command, Priority};

use super::Machine;

impl Machine {
    /// The command as it is recorded.
    pub(super) fn inherit(&self, command: Command) -> Command {
        match &self.started {
            Some(started) if !started.priority.is_default() => {
                inheriting(command, &started.priority)
            }
            _ => command,
        }
    }
}

fn inheriting(mut command: Command, from: &Priority) -> Command {
    match &mut command {
        Command::ScheduleActivity(asked) => {
            let asked = Arc::make_mut(asked);
            asked.options.priority = asked.options.priority.inheriting(from);
        }
        Command::StartChild(child) => {
            let child = Arc::make_mut(child);
            child.priority = child.priority.inheriting(from);
        }
        _ => {}
    }
    command
}
