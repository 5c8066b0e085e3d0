//! One slice: the stretch for which the host's thread belongs to a run.

use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyCFunction, PyTuple};

use super::loop_core::LoopCore;
use crate::current;

/// How many callbacks run between two looks at the clock.
const CALLS_PER_CLOCK_READING: u32 = 4;

/// While it lives, this thread's running loop, asynchronous generator hooks and current run are
/// the workflow's, and the garbage collector rests, so that no finalizer of somebody else runs
/// in the middle of workflow code. Dropping it gives everything back to the host.
pub(crate) struct Slice<'py> {
    python: &'py Interpreter,
    host_loop: Bound<'py, PyAny>,
    host_hooks: Bound<'py, PyAny>,
    previous: current::Previous,
    collector_was_on: bool,
}

/// The interpreter's own functions, looked up once.
struct Interpreter {
    get_running_loop: Py<PyAny>,
    set_running_loop: Py<PyAny>,
    get_hooks: Py<PyAny>,
    set_hooks: Py<PyAny>,
    our_hooks: Py<PyTuple>,
}

fn interpreter(py: Python<'_>) -> PyResult<&Interpreter> {
    static INTERPRETER: PyOnceLock<Interpreter> = PyOnceLock::new();
    INTERPRETER.get_or_try_init(py, || {
        let events = py.import("asyncio.events")?;
        let sys = py.import("sys")?;
        let first = wrap_pyfunction!(generator_begins, py)?;
        let last: Bound<'_, PyCFunction> = wrap_pyfunction!(generator_is_dropped, py)?;
        Ok(Interpreter {
            get_running_loop: events.getattr("_get_running_loop")?.unbind(),
            set_running_loop: events.getattr("_set_running_loop")?.unbind(),
            get_hooks: sys.getattr("get_asyncgen_hooks")?.unbind(),
            set_hooks: sys.getattr("set_asyncgen_hooks")?.unbind(),
            our_hooks: PyTuple::new(py, [first, last])?.unbind(),
        })
    })
}

impl<'py> Slice<'py> {
    pub(crate) fn enter(core: &'py Bound<'py, LoopCore>) -> PyResult<Self> {
        let py = core.py();
        let python = interpreter(py)?;
        let host_loop = python.get_running_loop.bind(py).call0()?;
        let host_hooks = python.get_hooks.bind(py).call0()?;
        // SAFETY: the thread is attached.
        let collector_was_on = unsafe { ffi::PyGC_Disable() } == 1;
        let slice = Self {
            python,
            host_loop,
            host_hooks,
            previous: current::replace(core),
            collector_was_on,
        };
        python.set_running_loop.bind(py).call1((core,))?;
        python
            .set_hooks
            .bind(py)
            .call1(python.our_hooks.bind(py).clone())?;
        Ok(slice)
    }

    fn leave(&self) -> PyResult<()> {
        let py = self.host_loop.py();
        current::restore(&self.previous);
        if self.collector_was_on {
            // SAFETY: the thread is attached.
            unsafe { ffi::PyGC_Enable() };
        }
        self.python
            .set_running_loop
            .bind(py)
            .call1((&self.host_loop,))?;
        let hooks: &Bound<'_, PyTuple> = self.host_hooks.cast()?;
        self.python.set_hooks.bind(py).call1(hooks.clone())?;
        Ok(())
    }
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        let py = self.host_loop.py();
        // An error on its way out of the slice must survive the leaving.
        let pending = PyErr::take(py);
        if let Err(error) = self.leave() {
            error.write_unraisable(py, None);
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    }
}

/// Runs the loop until nothing is ready; false when the budget was used up first.
pub(crate) fn run(core: &Bound<'_, LoopCore>, budget_us: Option<u64>) -> PyResult<bool> {
    let deadline = budget_us.map(|budget| Instant::now() + Duration::from_micros(budget));
    let _slice = Slice::enter(core)?;
    drain(core, deadline)
}

/// The loop itself. The caller has entered a slice.
pub(crate) fn drain(core: &Bound<'_, LoopCore>, deadline: Option<Instant>) -> PyResult<bool> {
    let py = core.py();
    let state = core.get();
    let mut calls: u32 = 0;
    while let Some(call) = state.pop(py) {
        call.run(core)?;
        calls = calls.wrapping_add(1);
        if calls.is_multiple_of(CALLS_PER_CLOCK_READING)
            && deadline.is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Calls `callback(*arguments)` in a slice and in the run's root context, so that nothing of the
/// host's context leaks into the workflow.
pub(crate) fn inside<'py>(
    core: &Bound<'py, LoopCore>,
    callback: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = core.py();
    let context = core.get().root_context(py)?.into_bound(py);
    let _slice = Slice::enter(core)?;
    let run = context.getattr(pyo3::intern!(py, "run"))?;
    let mut all = vec![callback.clone()];
    all.extend(arguments.iter());
    run.call1(PyTuple::new(py, all)?)
}

/// Called by the interpreter when an asynchronous generator is iterated for the first time.
#[pyfunction]
fn generator_begins(generator: &Bound<'_, PyAny>) -> PyResult<()> {
    match current::get(generator.py()) {
        Some(core) => core.get().add_generator(generator),
        None => Ok(()),
    }
}

/// Called when an unfinished asynchronous generator loses its last reference. In the middle of a
/// slice that moment is deterministic, so its `finally` blocks run; at any other time (the
/// collector found it, or the run was evicted) it is dropped in silence.
#[pyfunction]
fn generator_is_dropped(generator: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = generator.py();
    let Some(core) = current::get(py) else {
        return Ok(());
    };
    if !core.get().remove_generator(generator) || core.get().is_dead() {
        return Ok(());
    }
    let create_task = core.getattr(pyo3::intern!(py, "create_task"))?;
    let closing = generator.call_method0(pyo3::intern!(py, "aclose"))?;
    core.call_method1(pyo3::intern!(py, "call_soon"), (create_task, closing))?;
    Ok(())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // Looking these up in a slice would import in the middle of workflow code.
    interpreter(module.py())?;
    Ok(())
}
