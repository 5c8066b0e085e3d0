//! A message to another run, from its command to the one answer.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | – | `SignalExternal`, `CancelExternal` | Asked | – | `Ask` |
//! | Asked | `ExternalSignalDelivered`, `ExternalCancelDelivered` | – | that it is there | – |
//! | Asked | `ExternalSignalFailed`, `ExternalCancelFailed` | – | the failure | – |
//! | not open | anything | does not fit | | |

use alloc::sync::Arc;
use alloc::vec::Vec;

use perdure_history::{CancelExternal, Command, Failure, SignalExternal};

use super::{Misfit, Operation, Operations, child};
use crate::{Activation, Effect};

/// A message that is not answered yet.
#[derive(Clone, Debug)]
pub(crate) enum External {
    Signal(Arc<SignalExternal>),
    Cancel(Arc<CancelExternal>),
}

impl External {
    pub(crate) fn command(&self) -> Command {
        match self {
            Self::Signal(signal) => Command::SignalExternal(Arc::clone(signal)),
            Self::Cancel(cancel) => Command::CancelExternal(Arc::clone(cancel)),
        }
    }
}

/// Sends a message.
pub(crate) fn send(
    operations: &mut Operations,
    n: u64,
    message: External,
    effects: Option<&mut Vec<Effect>>,
) {
    operations.put(n, Operation::External(message));
    child::ask(n, effects);
}

/// The message is answered.
pub(crate) fn answer(
    operations: &mut Operations,
    command_n: u64,
    outcome: Result<(), Failure>,
) -> Result<Activation, Misfit> {
    let Some(Operation::External(_)) = operations.get(command_n) else {
        return Err(Misfit::NotOpen { command_n });
    };
    operations.remove(command_n);
    Ok(Activation::ResolveExternal { command_n, outcome })
}
