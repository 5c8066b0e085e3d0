//! The run itself.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | Awaited | `RunStarted` | Open | the start | – |
//! | Open | `CompleteRun`, `FailRun`, `CancelRun`, `ContinueAsNew` | Closed | – | `CloseRun` |
//! | Open | `RunTerminated`, `RunTimedOut` | Closed | nothing: no user code runs | `CloseRun` |
//! | Open | `CancelRequested`, `SignalReceived` | Open | the message | – |
//! | Open | `VersionChanged` | Open | nothing | – |
//! | any other pair | | does not fit | | |

use super::Misfit;
use crate::effect::ClosedStatus;

/// Where the run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RunState {
    /// Nothing is recorded.
    #[default]
    Awaited,
    /// It has begun.
    Open,
    /// It is over.
    Closed {
        /// The number of the record that closed it.
        n: u64,
        /// How.
        status: ClosedStatus,
    },
}

impl RunState {
    /// The start.
    pub(crate) fn start(&mut self) -> Result<(), Misfit> {
        match self {
            Self::Awaited => {
                *self = Self::Open;
                Ok(())
            }
            Self::Open => Err(Misfit::Start),
            Self::Closed { .. } => Err(Misfit::RunClosed),
        }
    }

    /// Anything that needs a run that has begun and is not over.
    pub(crate) fn expect_open(self) -> Result<(), Misfit> {
        match self {
            Self::Open => Ok(()),
            Self::Awaited => Err(Misfit::Start),
            Self::Closed { .. } => Err(Misfit::RunClosed),
        }
    }

    /// The end.
    pub(crate) fn close(&mut self, n: u64, status: ClosedStatus) -> Result<(), Misfit> {
        self.expect_open()?;
        *self = Self::Closed { n, status };
        Ok(())
    }
}
