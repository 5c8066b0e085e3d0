//! A durable timer.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | – | `StartTimer` | Started | – | `StartTimer` |
//! | Started | `TimerFired` | – | the timer | `TimerClosed` |
//! | Started | `CancelTimer` | – | – | `CancelTimer` |
//! | not open | anything | does not fit: a cancelled timer never fires | | |

use alloc::sync::Arc;
use alloc::vec::Vec;

use perdure_history::{Command, Site, Timestamp};

use super::{Misfit, Operation, Operations};
use crate::{Activation, Effect};

/// An open timer. It has one state: a timer that has fired or was taken back is not open.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    fire_at: Timestamp,
    site: Arc<Site>,
}

impl Timer {
    pub(crate) fn command(&self) -> Command {
        Command::StartTimer {
            fire_at: self.fire_at,
            site: Arc::clone(&self.site),
        }
    }
}

/// Opens a timer.
pub(crate) fn start(
    operations: &mut Operations,
    n: u64,
    fire_at: Timestamp,
    site: Arc<Site>,
    effects: Option<&mut Vec<Effect>>,
) {
    operations.put(n, Operation::Timer(Timer { fire_at, site }));
    if let Some(effects) = effects {
        effects.push(Effect::StartTimer {
            command_n: n,
            fire_at,
        });
    }
}

/// The workflow takes a timer back.
pub(crate) fn cancel(
    operations: &mut Operations,
    command_n: u64,
    effects: Option<&mut Vec<Effect>>,
) -> Result<(), Misfit> {
    expect_open(operations, command_n)?;
    operations.take_back(command_n);
    if let Some(effects) = effects {
        effects.push(Effect::CancelTimer { command_n });
    }
    Ok(())
}

/// The timer is due.
pub(crate) fn fire(
    operations: &mut Operations,
    command_n: u64,
    effects: Option<&mut Vec<Effect>>,
) -> Result<Activation, Misfit> {
    expect_open(operations, command_n)?;
    operations.remove(command_n);
    if let Some(effects) = effects {
        effects.push(Effect::TimerClosed { command_n });
    }
    Ok(Activation::FireTimer { command_n })
}

fn expect_open(operations: &Operations, command_n: u64) -> Result<(), Misfit> {
    match operations.get(command_n) {
        Some(Operation::Timer(_)) => Ok(()),
        _ => Err(Misfit::NotOpen { command_n }),
    }
}
