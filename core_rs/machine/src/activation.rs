//! What the machine tells the workflow.

use alloc::string::String;
use alloc::sync::Arc;

use perdure_history::{Failure, Payload, RunId, RunStarted};

/// One thing to deliver to workflow code; then the loop runs to idle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// Build the instance and begin `run`.
    Start(Arc<RunStarted>),
    /// Resolve the call made by command `command_n` with its encoded result.
    ResolveActivity {
        /// The number of the scheduling command.
        command_n: u64,
        /// What it returned, or the failure to raise (already wrapped as an activity failure).
        outcome: Result<Payload, Failure>,
    },
    /// The timer of command `command_n` is due.
    FireTimer {
        /// The number of the starting command.
        command_n: u64,
    },
    /// The child of command `command_n` is begun.
    ChildStarted {
        /// The number of the starting command.
        command_n: u64,
    },
    /// Resolve the child of command `command_n`.
    ResolveChild {
        /// The number of the starting command.
        command_n: u64,
        /// What it returned, or the failure to raise (already wrapped as a child's failure).
        outcome: Result<Payload, Failure>,
    },
    /// Resolve the message that command `command_n` sent to another run.
    ResolveExternal {
        /// The number of the sending command.
        command_n: u64,
        /// Nothing, or the failure to raise.
        outcome: Result<(), Failure>,
    },
    /// Run the handler of a signal.
    Signal {
        /// The signal's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
    /// Run the handler of an update, live after its validator.
    Update {
        /// The number of the event that accepts it.
        event_n: u64,
        /// The update's name.
        name: String,
        /// The positional arguments, one encoded list.
        arguments: Payload,
    },
    /// All before was copied from another run. Workflow code sees nothing of it now, but what it
    /// reads of the run is of this one from here on.
    Reset {
        /// The run in which what follows was written.
        run: RunId,
        /// How it stands.
        started: Arc<RunStarted>,
        /// Whether the random streams begin again, with the seed of `started`.
        reseeds: bool,
    },
    /// Cancel the main task.
    RequestCancel {
        /// The text given.
        reason: String,
    },
}
