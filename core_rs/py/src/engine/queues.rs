//! The lines of an engine, as Python reads them.

use perdure_engine::{LiveQueue, Route};
use pyo3::prelude::*;

use super::host::EngineHost;

/// See `task_queues`.
type QueueFields = (
    String,
    bool,
    bool,
    usize,
    usize,
    Option<f64>,
    Vec<(u8, usize)>,
    Vec<(String, usize)>,
);

/// The task queues and services of an engine: name, whether it is a service, whether anybody
/// serves it, slots, attempts that run, most that begin in a second, attempts in line by priority
/// key, and by what they wait for.
#[pyfunction]
pub(super) fn task_queues(host: &Bound<'_, EngineHost>) -> PyResult<Vec<QueueFields>> {
    let queues = host.get().with(|runtime| runtime.engine().task_queues())?;
    Ok(queues.into_iter().map(fields).collect())
}

fn fields(queue: LiveQueue) -> QueueFields {
    let (name, is_service) = match queue.route {
        Route::TaskQueue(name) => (name, false),
        Route::Service(name) => (name, true),
    };
    (
        name.to_string(),
        is_service,
        queue.is_served,
        queue.slots,
        queue.running,
        queue.per_second,
        queue.backlog.into_iter().collect(),
        queue.reasons.into_iter().collect(),
    )
}
