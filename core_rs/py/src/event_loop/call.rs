//! One entry of the ready queue, and how it is called.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::handle::Handle;
use super::loop_core::LoopCore;

/// What runs next.
pub(crate) enum Call {
    /// A step or wakeup that C code scheduled: it never sees a handle, so none is made.
    Bare {
        callback: Py<PyAny>,
        argument: Option<Py<PyAny>>,
        context: Py<PyAny>,
    },
    /// Whatever Python code scheduled.
    Handle(Py<Handle>),
}

impl Call {
    /// Runs it. Errors go where asyncio sends them: to the exception handler, except for the two
    /// that are meant to stop the program.
    pub(crate) fn run(self, core: &Bound<'_, LoopCore>) -> PyResult<()> {
        let py = core.py();
        match self {
            Self::Bare {
                callback,
                argument,
                context,
            } => {
                let Err(error) = call_in_context(py, &callback, argument.as_ref(), &context) else {
                    return Ok(());
                };
                report(core, error, callback.bind(py), None)
            }
            Self::Handle(handle) => {
                let Some((callback, arguments, context)) = handle.get().parts(py) else {
                    return Ok(());
                };
                let outcome = call_many_in_context(py, &callback, arguments.bind(py), &context);
                let Err(error) = outcome else { return Ok(()) };
                report(core, error, callback.bind(py), Some(handle.bind(py)))
            }
        }
    }
}

/// Calls `callback(argument)` inside `context`, with no Python frame in between.
fn call_in_context(
    py: Python<'_>,
    callback: &Py<PyAny>,
    argument: Option<&Py<PyAny>>,
    context: &Py<PyAny>,
) -> PyResult<()> {
    let pointers = [
        std::ptr::null_mut(),
        argument.map_or(std::ptr::null_mut(), Py::as_ptr),
    ];
    let count = usize::from(argument.is_some());
    // SAFETY: the thread is attached; `context` is a context object (PyContext_Enter checks);
    // `pointers[1..=count]` are borrowed from live references, and the slot before them may be
    // overwritten, as PY_VECTORCALL_ARGUMENTS_OFFSET promises. Enter and Exit are paired.
    unsafe {
        if ffi::PyContext_Enter(context.as_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        let result = ffi::PyObject_Vectorcall(
            callback.as_ptr(),
            pointers.as_ptr().add(1),
            count | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
            std::ptr::null_mut(),
        );
        finish(py, result, context)
    }
}

/// The same for a tuple of any number of arguments.
fn call_many_in_context(
    py: Python<'_>,
    callback: &Py<PyAny>,
    arguments: &Bound<'_, PyTuple>,
    context: &Py<PyAny>,
) -> PyResult<()> {
    // SAFETY: the thread is attached, all pointers are borrowed from live references, and Enter
    // and Exit are paired.
    unsafe {
        if ffi::PyContext_Enter(context.as_ptr()) != 0 {
            return Err(PyErr::fetch(py));
        }
        let result = ffi::PyObject_CallObject(callback.as_ptr(), arguments.as_ptr());
        finish(py, result, context)
    }
}

/// Leaves the context and turns the raw result into a `Result`.
///
/// # Safety
/// `context` was entered by this thread and not left, and `result` is what the call returned.
unsafe fn finish(py: Python<'_>, result: *mut ffi::PyObject, context: &Py<PyAny>) -> PyResult<()> {
    let outcome = if result.is_null() {
        Err(PyErr::fetch(py))
    } else {
        // SAFETY: a call that succeeds gives one owned reference.
        unsafe { ffi::Py_DECREF(result) };
        Ok(())
    };
    // SAFETY: the caller entered it.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } != 0 {
        let error = PyErr::fetch(py);
        return outcome.and(Err(error));
    }
    outcome
}

fn report(
    core: &Bound<'_, LoopCore>,
    error: PyErr,
    callback: &Bound<'_, PyAny>,
    handle: Option<&Bound<'_, Handle>>,
) -> PyResult<()> {
    let py = core.py();
    if error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py) {
        return Err(error);
    }
    let context = PyDict::new(py);
    context.set_item("message", format!("Exception in callback {callback}"))?;
    context.set_item("exception", error.value(py))?;
    if let Some(handle) = handle {
        context.set_item("handle", handle)?;
    }
    core.call_method1("call_exception_handler", (context,))?;
    Ok(())
}
