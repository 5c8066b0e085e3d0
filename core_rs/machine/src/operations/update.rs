//! An update: a message whose sender waits for what its handler returns.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | – | `UpdateAccepted` | Open | the update | `UpdateAccepted` |
//! | Open | `CompleteUpdate`, `FailUpdate` | – | – | `UpdateEnded` |
//! | Open | the validator refuses, live | – | – | `UpdateRejected`, and the event is taken back |
//! | not open | anything | does not fit: an update ends once | | |
//!
//! Updates that are open when the run closes have no end: the engine tells who waits for them.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use perdure_history::{Failure, MessageId, Payload};

use super::{Misfit, Operation, Operations};
use crate::{Activation, Effect};

/// Opens an update; what the activation needs is taken out of the event.
pub(crate) fn accept(
    operations: &mut Operations,
    event_n: u64,
    message_id: &MessageId,
    name: &mut String,
    arguments: &mut Payload,
    effects: Option<&mut Vec<Effect>>,
) -> Activation {
    if let Some(effects) = effects {
        effects.push(Effect::UpdateAccepted {
            message_id: message_id.clone(),
        });
    }
    operations.put(event_n, Operation::Update(message_id.clone()));
    Activation::Update {
        event_n,
        name: mem::take(name),
        arguments: mem::take(arguments),
    }
}

/// Its handler has returned or failed.
pub(crate) fn end(
    operations: &mut Operations,
    event_n: u64,
    outcome: impl FnOnce() -> Box<Result<Payload, Failure>>,
    effects: Option<&mut Vec<Effect>>,
) -> Result<(), Misfit> {
    let Some(Operation::Update(message_id)) = operations.get(event_n).cloned() else {
        return Err(Misfit::NotOpen { command_n: event_n });
    };
    operations.remove(event_n);
    if let Some(effects) = effects {
        effects.push(Effect::UpdateEnded {
            message_id,
            outcome: outcome(),
        });
    }
    Ok(())
}
