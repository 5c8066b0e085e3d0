//! The deterministic event loop: ready queue, handles, timers and tasks of one run, driving
//! CPython's own C `asyncio.Task`.
//!
//! Time only moves when the run is told so, timers are the run's durable ones, and every order is
//! the order of creation. `perdure/instance/_loop.py` makes an `asyncio.AbstractEventLoop` of it.

use pyo3::prelude::*;

mod call;
mod creation_order;
mod fast_methods;
mod gil_cell;
mod handle;
mod loop_core;
mod ready_queue;
pub(crate) mod resolve;
pub(crate) mod slice;
mod task_callbacks;

pub(crate) use self::fast_methods::{Scheduled, admit};
pub(crate) use self::gil_cell::GilCell;
pub(crate) use self::loop_core::LoopCore;

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<LoopCore>()?;
    module.add_class::<handle::Handle>()?;
    fast_methods::attach(module.py())?;
    task_callbacks::register(module)?;
    slice::register(module)
}
