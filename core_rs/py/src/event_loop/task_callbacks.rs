//! What is known of CPython's C `Task`: how its callbacks look, and how to make one.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyDict, PyTuple, PyType};

use super::loop_core::LoopCore;
use crate::current;

/// The type of the callback that is a task's first step.
static STEP_TYPE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(null_mut());
/// The C definition behind the callback that wakes a task.
static WAKEUP: AtomicPtr<ffi::PyMethodDef> = AtomicPtr::new(null_mut());

/// Whether C code alone can have scheduled this, so that nobody looks at the handle.
pub(crate) fn is_one(callback: &Bound<'_, PyAny>) -> bool {
    let kind = callback.get_type_ptr();
    if kind == STEP_TYPE.load(Ordering::Relaxed) {
        return true;
    }
    definition(callback).is_some_and(|found| found == WAKEUP.load(Ordering::Relaxed))
}

fn definition(callback: &Bound<'_, PyAny>) -> Option<*mut ffi::PyMethodDef> {
    // SAFETY: PyCFunction_CheckExact reads the type of a live object.
    if unsafe { ffi::PyCFunction_CheckExact(callback.as_ptr()) } == 0 {
        return None;
    }
    let function: *mut ffi::PyCFunctionObject = callback.as_ptr().cast();
    // SAFETY: the type is exactly that of C functions, whose layout this is.
    Some(unsafe { (*function).m_ml })
}

/// Learns the two callbacks from a task that somebody stepped on a loop of his own.
#[pyfunction]
fn learn_task_callbacks(step: &Bound<'_, PyAny>, wakeup: &Bound<'_, PyAny>) -> bool {
    let Some(definition) = definition(wakeup) else {
        return false;
    };
    // The type of a C extension that stays loaded as long as the process.
    let step_type = step.get_type().into_ptr();
    STEP_TYPE.store(step_type.cast(), Ordering::Relaxed);
    WAKEUP.store(definition, Ordering::Relaxed);
    true
}

/// `asyncio.Future(loop=core)`, without a Python frame. Inside a slice this loop is the running
/// one, which a future takes by itself: keywords would cost a dictionary.
pub(crate) fn new_future<'py>(core: &Bound<'py, LoopCore>) -> PyResult<Bound<'py, PyAny>> {
    static FUTURE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static NAMES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let py = core.py();
    let class = FUTURE.import(py, "asyncio", "Future")?;
    if current::is(core) {
        return class.call0();
    }
    let names = NAMES.get_or_try_init(py, || {
        Ok::<_, PyErr>(PyTuple::new(py, [pyo3::intern!(py, "loop")])?.unbind())
    })?;
    let arguments = [null_mut(), core.as_ptr()];
    // SAFETY: the thread is attached, the arguments are borrowed from live references, and the
    // slot before them may be overwritten. The result is owned, or an error.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyObject_Vectorcall(
                class.as_ptr(),
                arguments.as_ptr().add(1),
                ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
                names.as_ptr(),
            ),
        )
    }
}

/// `asyncio.Task(coro, loop=core, name=name, **options)`.
pub(crate) fn new_task<'py>(
    core: &Bound<'py, LoopCore>,
    coro: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    static TASK: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = core.py();
    let keywords = match options {
        Some(options) => options.clone(),
        None => PyDict::new(py),
    };
    keywords.set_item(pyo3::intern!(py, "loop"), core)?;
    keywords.set_item(pyo3::intern!(py, "name"), name)?;
    TASK.import(py, "asyncio", "Task")?
        .call((coro,), Some(&keywords))
}

/// Has `task` call back when it is done; false if it is done already.
///
/// The loop keeps a task until then. Of a task that nobody references the collector would choose
/// the end, at another moment in each replay: its `finally` blocks would run there.
pub(crate) fn tells_when_done(task: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = task.py();
    let done = task.call_method0(pyo3::intern!(py, "done"))?;
    if done.is_truthy()? {
        return Ok(false);
    }
    let callback = when_done(py)?.bind(py);
    task.call_method1(pyo3::intern!(py, "add_done_callback"), (callback,))?;
    Ok(true)
}

/// Whether this is that callback. It is taken where a task schedules it, and never queued.
pub(crate) fn is_when_done(py: Python<'_>, callback: &Bound<'_, PyAny>) -> bool {
    when_done(py).is_ok_and(|known| known.is(callback))
}

fn when_done(py: Python<'_>) -> PyResult<&Py<PyCFunction>> {
    static CALLBACK: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();
    CALLBACK.get_or_try_init(py, || Ok(wrap_pyfunction!(task_is_done, py)?.unbind()))
}

/// Marks that a task of a workflow is done.
#[pyfunction]
fn task_is_done(_task: &Bound<'_, PyAny>) {}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(learn_task_callbacks, module)?)
}
