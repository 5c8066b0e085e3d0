//! A child workflow, from its starting command to its one end.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | – | `StartChild` | Starting | – | `Ask` |
//! | Starting | `ChildStarted` | Started | that it is begun | – |
//! | Starting, Started | `CancelChild` | the same | – | `Ask` |
//! | Starting, Started | `ChildCompleted` | – | the result | – |
//! | Starting, Started | `ChildFailed` | – | the failure, wrapped | – |
//! | Starting, Started | `ChildCancelled` | – | a cancelled failure, wrapped | – |
//! | Started | `ChildStarted` | does not fit: it was told before | | |
//! | not open | anything | does not fit | | |
//!
//! A cancelled child stays open until it ends: that it still cleans up is a fact of its parent too.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use perdure_history::{Command, Failure, FailureKind, Payload, RunId, StartChild, Timestamp};

use super::{Misfit, Operation, Operations};
use crate::{Activation, Effect};

/// An open child.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    asked: Arc<StartChild>,
    state: ChildState,
}

/// Where an open child stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChildState {
    Starting,
    Started,
}

impl Child {
    pub(crate) fn command(&self) -> Command {
        Command::StartChild(Arc::clone(&self.asked))
    }

    /// What workflow code gets for a child that did not complete.
    fn wrap(&self, cause: Failure) -> Failure {
        let asked = &self.asked;
        Failure {
            kind: FailureKind::ChildWorkflow {
                workflow_type: asked.workflow_type.to_string(),
                workflow_id: asked.workflow_id.clone(),
                run: asked.run,
            },
            message: format!(
                "child workflow {} ({:?}) did not complete: {}",
                asked.workflow_type, asked.workflow_id, cause.message
            ),
            stack: alloc::string::String::new(),
            cause: Some(Box::new(cause)),
        }
    }
}

/// The id of the run that command `n` of `parent` starts, in the form of a `UUIDv7`: the same
/// command recorded at the same time always asks for the same run.
pub(crate) fn run_id(parent: RunId, n: u64, at: Timestamp) -> RunId {
    let [chance, _] = chances(parent, n, at);
    let mut id = chance.to_be_bytes();
    let millis = u64::try_from(at.as_micros() / 1_000).unwrap_or_default();
    for (to, from) in id.iter_mut().zip(millis.to_be_bytes().iter().skip(2)) {
        *to = *from;
    }
    let [_, _, _, _, _, _, version, _, variant, ..] = &mut id;
    *version = (*version & 0x0f) | 0x70;
    *variant = (*variant & 0x3f) | 0x80;
    RunId(id)
}

/// The seed of that run's random streams.
pub(crate) fn seed(parent: RunId, n: u64, at: Timestamp) -> u64 {
    let [_, chance] = chances(parent, n, at);
    // The lower half; the upper one of the same digest would do as well.
    u64::try_from(chance & u128::from(u64::MAX)).unwrap_or_default()
}

fn chances(parent: RunId, n: u64, at: Timestamp) -> [u128; 2] {
    [b"run".as_slice(), b"seed"].map(|purpose| {
        let parts = [
            purpose,
            parent.0.as_slice(),
            &n.to_be_bytes(),
            &at.as_micros().to_be_bytes(),
        ];
        Payload(parts.concat().into()).digest().0
    })
}

/// Opens a child.
pub(crate) fn start(
    operations: &mut Operations,
    n: u64,
    asked: Arc<StartChild>,
    effects: Option<&mut Vec<Effect>>,
) {
    let state = ChildState::Starting;
    operations.put(n, Operation::Child(Child { asked, state }));
    ask(n, effects);
}

/// The workflow cancels a child.
pub(crate) fn cancel(
    operations: &Operations,
    n: u64,
    command_n: u64,
    effects: Option<&mut Vec<Effect>>,
) -> Result<(), Misfit> {
    get(operations, command_n)?;
    ask(n, effects);
    Ok(())
}

/// The child is begun.
pub(crate) fn started(operations: &mut Operations, command_n: u64) -> Result<Activation, Misfit> {
    let child = get(operations, command_n)?;
    if child.state == ChildState::Started {
        return Err(Misfit::NotOpen { command_n });
    }
    let started = Child {
        asked: Arc::clone(&child.asked),
        state: ChildState::Started,
    };
    operations.put(command_n, Operation::Child(started));
    Ok(Activation::ChildStarted { command_n })
}

/// The child ends.
pub(crate) fn end(
    operations: &mut Operations,
    command_n: u64,
    outcome: Result<Payload, Failure>,
) -> Result<Activation, Misfit> {
    let child = get(operations, command_n)?;
    let outcome = outcome.map_err(|cause| child.wrap(cause));
    operations.remove(command_n);
    Ok(Activation::ResolveChild { command_n, outcome })
}

/// The failure of a child that was cancelled.
pub(crate) fn cancelled(details: Option<Payload>) -> Failure {
    Failure {
        kind: FailureKind::Cancelled { details },
        message: "it was cancelled".to_string(),
        stack: alloc::string::String::new(),
        cause: None,
    }
}

pub(super) fn ask(n: u64, effects: Option<&mut Vec<Effect>>) {
    if let Some(effects) = effects {
        effects.push(Effect::Ask { command_n: n });
    }
}

fn get(operations: &Operations, command_n: u64) -> Result<&Child, Misfit> {
    match operations.get(command_n) {
        Some(Operation::Child(child)) => Ok(child),
        _ => Err(Misfit::NotOpen { command_n }),
    }
}
