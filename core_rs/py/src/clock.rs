//! The functions of the `time` module that read a clock, as they are inside workflows.
//!
//! Each is a C function like the original: not bound when it is a class attribute, pickled under
//! the same name, and outside workflows one thread-local read and one jump slower.

use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::current;
use crate::event_loop::LoopCore;

const NANOS_PER_MICRO: i64 = 1_000;

/// One function of the `time` module.
struct ClockFunction {
    name: &'static CStr,
    substitute: ffi::PyCFunction,
    original: &'static AtomicPtr<ffi::PyObject>,
}

macro_rules! clock_function {
    ($name:ident, $literal:literal, $reading:expr) => {{
        static ORIGINAL: AtomicPtr<ffi::PyObject> = AtomicPtr::new(null_mut());

        unsafe extern "C" fn $name(
            _module: *mut ffi::PyObject,
            _unused: *mut ffi::PyObject,
        ) -> *mut ffi::PyObject {
            if !current::inside() {
                // SAFETY: the original is stored before this function can be reached, and is
                // never freed; CPython calls functions on an attached thread.
                return unsafe { ffi::PyObject_CallNoArgs(ORIGINAL.load(Ordering::Relaxed)) };
            }
            read($reading)
        }
        ClockFunction {
            name: $literal,
            substitute: $name,
            original: &ORIGINAL,
        }
    }};
}

/// Reads the clock of the current run into a Python number.
fn read(reading: fn(&LoopCore) -> Reading) -> *mut ffi::PyObject {
    Python::attach(|py| {
        let Some(core) = current::get(py) else {
            return py.None().into_ptr();
        };
        match reading(core.get()) {
            // SAFETY: the thread is attached; null means that an exception is set.
            Reading::Seconds(value) => unsafe { ffi::PyFloat_FromDouble(value) },
            // SAFETY: the same.
            Reading::Nanos(value) => unsafe { ffi::PyLong_FromLongLong(value) },
        }
    })
}

enum Reading {
    Seconds(f64),
    Nanos(i64),
}

#[expect(
    clippy::cast_precision_loss,
    reason = "time.time() is a float: 0.2 microseconds today"
)]
fn wall(core: &LoopCore) -> Reading {
    Reading::Seconds(core.now_us_value() as f64 / 1e6)
}

fn wall_nanos(core: &LoopCore) -> Reading {
    Reading::Nanos(core.now_us_value().saturating_mul(NANOS_PER_MICRO))
}

fn elapsed(core: &LoopCore) -> Reading {
    Reading::Seconds(core.time())
}

fn elapsed_nanos(core: &LoopCore) -> Reading {
    Reading::Nanos(core.elapsed_us().saturating_mul(NANOS_PER_MICRO))
}

fn functions() -> [ClockFunction; 10] {
    [
        clock_function!(time, c"time", wall),
        clock_function!(time_ns, c"time_ns", wall_nanos),
        clock_function!(monotonic, c"monotonic", elapsed),
        clock_function!(monotonic_ns, c"monotonic_ns", elapsed_nanos),
        clock_function!(perf_counter, c"perf_counter", elapsed),
        clock_function!(perf_counter_ns, c"perf_counter_ns", elapsed_nanos),
        clock_function!(process_time, c"process_time", elapsed),
        clock_function!(process_time_ns, c"process_time_ns", elapsed_nanos),
        clock_function!(thread_time, c"thread_time", elapsed),
        clock_function!(thread_time_ns, c"thread_time_ns", elapsed_nanos),
    ]
}

/// Puts the run's clocks in the place of the process's own. Once a process; a second call does
/// nothing.
#[pyfunction]
fn substitute_clocks(py: Python<'_>) -> PyResult<()> {
    let module = py.import("time")?;
    let module_name = PyString::new(py, "time");
    for function in functions() {
        if !function.original.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        let name = function
            .name
            .to_str()
            .map_err(|_| PyAttributeError::new_err("time"))?;
        let original = module.getattr(name)?;
        // Both live as long as the process: callers may hold the substitute for ever.
        let definition = Box::leak(Box::new(ffi::PyMethodDef {
            ml_name: function.name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer {
                PyCFunction: function.substitute,
            },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: c"The run's clock inside a workflow, the process's own elsewhere.".as_ptr(),
        }));
        function
            .original
            .store(original.into_ptr(), Ordering::Relaxed);
        // SAFETY: the definition lives for ever and its function has the METH_NOARGS signature.
        let substitute = unsafe {
            Bound::from_owned_ptr_or_err(
                py,
                ffi::PyCFunction_NewEx(definition, null_mut(), module_name.as_ptr()),
            )
        }?;
        module.setattr(name, substitute)?;
    }
    Ok(())
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(substitute_clocks, module)?)
}
