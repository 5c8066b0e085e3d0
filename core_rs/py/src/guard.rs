//! The audit hook: what reaches out of workflow code is refused where it happens.
//!
//! It is native, since a hook in Python would tax every file, socket and import of the process.
//! Outside workflows it costs one thread-local read an event. Which events are refused, and what
//! to say, is Python's business (`perdure/instance/_guard.py`).

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::current;

type AuditHook = unsafe extern "C" fn(*const c_char, *mut ffi::PyObject, *mut c_void) -> c_int;

unsafe extern "C" {
    // In the limited API since 3.8; the bindings leave it out.
    fn PySys_AddAuditHook(hook: AuditHook, data: *mut c_void) -> c_int;
}

struct Guard {
    events: HashSet<Vec<u8>>,
    refuse: Py<PyAny>,
}

static GUARD: PyOnceLock<Guard> = PyOnceLock::new();

thread_local! {
    // The judgement itself may open files and the like.
    static JUDGING: Cell<bool> = const { Cell::new(false) };
}

/// Installs the guard: `refuse(event, arguments)` is called for each of `events` that workflow
/// code raises, and refuses by raising. Once a process, since a hook can never be taken out.
#[pyfunction]
fn install_guard(py: Python<'_>, events: HashSet<String>, refuse: Py<PyAny>) -> PyResult<()> {
    let events = events.into_iter().map(String::into_bytes).collect();
    GUARD
        .set(py, Guard { events, refuse })
        .map_err(|_| PyRuntimeError::new_err("the guard is installed already"))?;
    // SAFETY: the thread is attached, and the hook has the signature that CPython calls.
    if unsafe { PySys_AddAuditHook(hook, null_mut()) } != 0 {
        return Err(PyErr::fetch(py));
    }
    Ok(())
}

unsafe extern "C" fn hook(
    event: *const c_char,
    arguments: *mut ffi::PyObject,
    _data: *mut c_void,
) -> c_int {
    if !current::inside() || JUDGING.get() {
        return 0;
    }
    Python::attach(|py| {
        // SAFETY: CPython hands over a C string that lives for the call.
        let event = unsafe { CStr::from_ptr(event) };
        let Some(guard) = GUARD
            .get(py)
            .filter(|guard| guard.events.contains(event.to_bytes()))
        else {
            return 0;
        };
        // SAFETY: the arguments are a live tuple, borrowed for the call.
        let arguments = unsafe { Bound::from_borrowed_ptr(py, arguments) };
        JUDGING.set(true);
        let verdict = guard.refuse.call1(py, (event.to_string_lossy(), arguments));
        JUDGING.set(false);
        match verdict {
            Ok(_) => 0,
            Err(error) => {
                error.restore(py);
                -1
            }
        }
    })
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(install_guard, module)?)
}
