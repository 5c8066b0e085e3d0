//! From a result to the next await of the workflow, without a Python frame in between.

use std::ptr::null_mut;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyListMethods};

use super::loop_core::LoopCore;
use super::slice::{self, Slice};

/// `future.set_result(value)`; nothing when somebody cancelled the future before.
pub(crate) fn set_result(future: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    let name = pyo3::intern!(py, "set_result");
    let arguments = [future.as_ptr(), value.as_ptr()];
    // SAFETY: the thread is attached and every pointer is borrowed from a live reference. The
    // result is owned, or an error.
    let result = unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyObject_VectorcallMethod(name.as_ptr(), arguments.as_ptr(), 2, null_mut()),
        )
    };
    match result {
        Ok(_) => Ok(()),
        Err(error) => {
            let cancelled = future
                .call_method0(pyo3::intern!(py, "cancelled"))?
                .is_truthy()?;
            if cancelled { Ok(()) } else { Err(error) }
        }
    }
}

/// `future.set_exception(error)`; nothing when somebody cancelled the future before.
pub(crate) fn set_exception(future: &Bound<'_, PyAny>, error: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if future
        .call_method0(pyo3::intern!(py, "done"))?
        .is_truthy()?
    {
        return Ok(());
    }
    future.call_method1(pyo3::intern!(py, "set_exception"), (error,))?;
    Ok(())
}

/// Resolves the futures that workflow code puts into `waiting`, oldest first, each to idle, until
/// none is left: a run's replay in small. Gives how many there were.
pub(crate) fn in_turn(core: &Bound<'_, LoopCore>, waiting: &Bound<'_, PyList>) -> PyResult<usize> {
    let none = core.py().None().into_bound(core.py());
    let _slice = Slice::enter(core)?;
    let mut count = 0;
    slice::drain(core, None)?;
    while !waiting.is_empty() {
        let future = waiting.get_item(0)?;
        waiting.del_item(0)?;
        set_result(&future, &none)?;
        slice::drain(core, None)?;
        count += 1;
    }
    Ok(count)
}
