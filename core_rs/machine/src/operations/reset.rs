//! A reset: the end of what was copied from another run.
//!
//! | state | input | next state | delivers | effects |
//! |---|---|---|---|---|
//! | Open | `RunReset` | Open, as another run | who it is from here on | – |
//! | Awaited, Closed | `RunReset` | does not fit | | |
//!
//! What code reads of its run, the run's id and its workflow's, may be in the arguments of what it
//! calls: so the records before a reset are replayed as the run in which they were written.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use perdure_history::{Record, RunId, RunReset, RunStarted, reset};

use crate::Activation;

/// The runs in which the records still to be replayed were written, but for this one.
#[derive(Debug, Default)]
pub(crate) struct Former {
    runs: VecDeque<RunId>,
}

impl Former {
    /// The runs from which a history was copied, in order.
    pub(crate) fn of(records: &[Record]) -> Self {
        Self {
            runs: reset::resets(records).map(|(_, reset)| reset.run).collect(),
        }
    }

    /// The run in which the records from here to the next reset were written, if not this one.
    pub(crate) fn current(&self) -> Option<RunId> {
        self.runs.front().copied()
    }
}

/// The records from here on were written in another run.
pub(crate) fn pass(
    former: &mut Former,
    this: RunId,
    started: &mut Option<Arc<RunStarted>>,
    reset: &RunReset,
) -> Option<Activation> {
    former.runs.pop_front();
    let after = Arc::new(started.as_ref()?.after(reset));
    *started = Some(Arc::clone(&after));
    Some(Activation::Reset {
        run: former.current().unwrap_or(this),
        started: after,
        reseeds: reset.fork.is_some(),
    })
}
