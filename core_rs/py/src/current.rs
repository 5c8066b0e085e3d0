//! Which run this thread is stepping, if any. Everything that behaves differently inside a
//! workflow (clocks, randomness, guards, ordered sets) asks here.

use std::cell::Cell;
use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;

use crate::event_loop::LoopCore;

thread_local! {
    // A constant initialiser and no destructor: readable from an audit hook at any time.
    static CURRENT: Cell<*mut ffi::PyObject> = const { Cell::new(null_mut()) };
}

/// Whether this thread is stepping a run now.
pub(crate) fn inside() -> bool {
    !CURRENT.get().is_null()
}

/// Whether this thread is stepping the run of this very loop.
pub(crate) fn is(core: &Bound<'_, LoopCore>) -> bool {
    CURRENT.get() == core.as_ptr()
}

/// The loop of the run that this thread is stepping.
pub(crate) fn get(py: Python<'_>) -> Option<Bound<'_, LoopCore>> {
    let pointer = CURRENT.get();
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the pointer is set by `replace` alone, from a loop that the caller of `replace`
    // keeps alive until it sets the previous one back.
    let any = unsafe { Bound::from_borrowed_ptr(py, pointer) };
    // SAFETY: `replace` takes nothing but a `LoopCore` or a subclass of it.
    Some(unsafe { any.cast_into_unchecked() })
}

/// What `replace` found, to be handed back to `restore`.
pub(crate) struct Previous(*mut ffi::PyObject);

/// Makes `core` the current run. The caller keeps it alive until `restore`.
pub(crate) fn replace(core: &Bound<'_, LoopCore>) -> Previous {
    Previous(CURRENT.replace(core.as_ptr()))
}

/// Sets back what `replace` found.
pub(crate) fn restore(previous: &Previous) {
    CURRENT.set(previous.0);
}

/// The loop of the run that this thread is stepping, or None outside workflows.
#[pyfunction]
fn current_loop(py: Python<'_>) -> Option<Bound<'_, LoopCore>> {
    get(py)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(current_loop, module)?)
}
