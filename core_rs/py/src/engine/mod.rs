//! The engine's runtime as Python drives it from the asyncio thread. No decisions, only hand-over.

mod client;
mod clock;
mod host;
mod messages;
mod queues;
mod reply;
mod task;
mod transports;
mod work;

use pyo3::prelude::*;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<host::EngineHost>()?;
    module.add_class::<clock::PySkippingClock>()?;
    module.add_class::<work::Work>()?;
    module.add_class::<work::PyTurn>()?;
    module.add_class::<task::ActivityTask>()?;
    module.add_function(wrap_pyfunction!(task::call_of, module)?)?;
    module.add_class::<reply::PyReply>()?;
    module.add_class::<client::StoreReader>()?;
    module.add_class::<client::StoreInbox>()?;
    module.add_class::<client::SearchPlace>()?;
    module.add_function(wrap_pyfunction!(client::check_query, module)?)?;
    module.add_function(wrap_pyfunction!(queues::task_queues, module)?)?;
    module.add_class::<transports::NatsChild>()?;
    module.add_function(wrap_pyfunction!(client::owner_socket, module)?)
}
