//! The way to foreign workers, as the engine sees it. `perdure-transport` implements it.

use std::sync::Arc;

use perdure_history::TaskId;

use crate::input::Input;
use crate::task::Task;

/// Sends tasks to the workers of services. No method blocks; answers come by the [`ReportSink`].
///
/// A transport may lose, double, delay and reorder: the engine owns attempts and timeouts.
pub trait Transport: Send + Sync {
    /// Whether this transport reaches the service (by configuration, not by liveness).
    fn serves(&self, service: &str) -> bool;

    /// Sends a task. Without a worker it reports `NotStarted`.
    fn dispatch(&self, task: Task);

    /// Asks the worker that holds the task to cancel it. May be lost; the engine repeats it.
    fn cancel(&self, service: &str, task: TaskId, reason: &str);

    /// Asks every instance which tasks it holds; they answer with a `ServiceReport`. The tasks that
    /// are awaited from before a restart come with their nonces: whoever holds one, or keeps its
    /// outcome, is to answer this engine from now on.
    fn take_inventory(&self, service: &str, awaited: &[(TaskId, u64)]);

    /// Lets workers finish, then ends the connections.
    fn drain(&self);
}

/// Where transports put reports: a queue that wakes the engine's thread.
#[derive(Clone)]
pub struct ReportSink(Arc<dyn Fn(Input) + Send + Sync>);

impl ReportSink {
    /// A sink over any queue.
    pub fn new(send: impl Fn(Input) + Send + Sync + 'static) -> Self {
        Self(Arc::new(send))
    }

    /// Hands one input over. Never blocks.
    pub fn send(&self, input: Input) {
        (self.0)(input);
    }
}

impl std::fmt::Debug for ReportSink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ReportSink")
    }
}
