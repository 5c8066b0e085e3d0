//! `call_soon` and `get_debug`, the two methods that C code calls at every step, as plain C
//! methods: no argument tuple, no keyword dictionary, no handle that nobody will look at.

use std::ffi::c_int;
use std::ptr::null_mut;

use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;

use super::call::Call;
use super::handle::Handle;
use super::loop_core::LoopCore;
use super::task_callbacks;
use crate::current;

/// What somebody asks of the loop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheduled {
    Callback,
    Timer,
    Future,
    Task,
}

/// Whether the loop takes anything now: only while it is stepped, and never once it is dead.
/// Finalizers run at any time and in any order, so what they schedule is refused.
pub(crate) fn admit(core: &Bound<'_, LoopCore>, what: Scheduled) -> PyResult<()> {
    if core.get().is_dead() && what != Scheduled::Callback {
        return Err(evicted(core.py()));
    }
    if core.get().is_reading() {
        return Err(PyRuntimeError::new_err(
            "a query, or an update's validator, only reads the workflow's state: it can start, \
             wait for and schedule nothing",
        ));
    }
    if current::is(core) || core.get().is_dead() {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "this workflow's loop is not running: only the workflow's own code can schedule on it; \
         from outside, send the workflow a signal",
    ))
}

fn evicted(py: Python<'_>) -> PyErr {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = CLASS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("perdure.errors")?.getattr("RunEvicted")?.unbind())
    });
    match class.and_then(|class| class.call0(py)) {
        Ok(error) => PyErr::from_value(error.into_bound(py)),
        Err(error) => error,
    }
}

/// A copy of the context of whoever is calling.
pub(crate) fn copy_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: the thread is attached; the result is an owned reference or an error.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }.map(Bound::unbind)
}

/// Hangs the C methods onto the class.
pub(crate) fn attach(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<LoopCore>();
    let call_soon = ffi::PyMethodDef {
        ml_name: c"call_soon".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: call_soon,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: c"Runs callback(*arguments) when what is ready now has run.".as_ptr(),
    };
    let get_debug = ffi::PyMethodDef {
        ml_name: c"get_debug".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunction: get_debug,
        },
        ml_flags: ffi::METH_NOARGS,
        ml_doc: c"False: a workflow runs the same whatever its host does.".as_ptr(),
    };
    for (name, definition) in [("call_soon", call_soon), ("get_debug", get_debug)] {
        // A method definition has to outlive the class, which is never freed.
        let definition = Box::leak(Box::new(definition));
        // SAFETY: `class` is a type object, `definition` lives for ever, and the C functions
        // have the signatures that their flags say.
        let descriptor = unsafe {
            Bound::from_owned_ptr_or_err(
                py,
                ffi::PyDescr_NewMethod(class.as_type_ptr(), definition),
            )
        }?;
        class.setattr(name, descriptor)?;
    }
    Ok(())
}

unsafe extern "C" fn get_debug(
    _core: *mut ffi::PyObject,
    _unused: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls methods on an attached thread.
    unsafe { ffi::Py_NewRef(ffi::Py_False()) }
}

unsafe extern "C" fn call_soon(
    core: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    Python::attach(|py| {
        // SAFETY: the descriptor checked that `core` is a `LoopCore`; it is borrowed for the call.
        let core: Bound<'_, LoopCore> =
            unsafe { Bound::from_borrowed_ptr(py, core).cast_into_unchecked() };
        // SAFETY: these are the arguments of a METH_FASTCALL | METH_KEYWORDS call, unchanged.
        let outcome = unsafe { Arguments::read(py, arguments, count, keyword_names) }
            .and_then(|arguments| schedule(&core, &arguments));
        match outcome {
            Ok(result) => result.into_ptr(),
            Err(error) => {
                error.restore(py);
                null_mut()
            }
        }
    })
}

/// The arguments of one `call_soon`, borrowed.
struct Arguments<'py> {
    callback: Borrowed<'py, 'py, PyAny>,
    rest: &'py [*mut ffi::PyObject],
    context: Option<Borrowed<'py, 'py, PyAny>>,
}

impl<'py> Arguments<'py> {
    /// # Safety
    /// The pointers are those of a METH_FASTCALL | METH_KEYWORDS call, alive for `'py`.
    unsafe fn read(
        py: Python<'py>,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        keyword_names: *mut ffi::PyObject,
    ) -> PyResult<Self> {
        let count = usize::try_from(count).unwrap_or(0);
        let keywords = if keyword_names.is_null() {
            0
        } else {
            // SAFETY: keyword names come as a tuple.
            usize::try_from(unsafe { ffi::PyTuple_GET_SIZE(keyword_names) }).unwrap_or(0)
        };
        // SAFETY: positional values come first, then one value a keyword.
        let all = unsafe { std::slice::from_raw_parts(arguments, count + keywords) };
        let Some((callback, rest)) = all.split_first().filter(|_| count > 0) else {
            return Err(PyTypeError::new_err("call_soon() needs a callback"));
        };
        let (rest, values) = rest.split_at(count - 1);
        let context = match values {
            [] => None,
            // SAFETY: the tuple has one name, a string.
            [value] if unsafe { is_context(ffi::PyTuple_GET_ITEM(keyword_names, 0)) } => {
                // SAFETY: a borrowed argument, alive for the call.
                Some(unsafe { Borrowed::from_ptr(py, *value) }).filter(|value| !value.is_none())
            }
            _ => {
                return Err(PyTypeError::new_err(
                    "call_soon() takes no keyword but context",
                ));
            }
        };
        // SAFETY: a borrowed argument, alive for the call.
        let callback = unsafe { Borrowed::from_ptr(py, *callback) };
        Ok(Self {
            callback,
            rest,
            context,
        })
    }
}

/// # Safety
/// `name` is a live string object.
unsafe fn is_context(name: *mut ffi::PyObject) -> bool {
    // SAFETY: as promised.
    let order: c_int = unsafe { ffi::PyUnicode_CompareWithASCIIString(name, c"context".as_ptr()) };
    order == 0
}

fn schedule<'py>(
    core: &Bound<'py, LoopCore>,
    arguments: &Arguments<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = core.py();
    if let [task] = arguments.rest
        && task_callbacks::is_when_done(py, &arguments.callback)
    {
        // SAFETY: a borrowed argument, alive for the call.
        let task: Borrowed<'_, '_, PyAny> = unsafe { Borrowed::from_ptr(py, *task) };
        core.get().task_is_done(&task);
        return Ok(py.None().into_bound(py));
    }
    admit(core, Scheduled::Callback)?;
    if core.get().is_dead() {
        return Ok(Bound::new(py, Handle::cancelled_from_birth())?.into_any());
    }
    if let (Some(context), [] | [_]) = (arguments.context, arguments.rest)
        && task_callbacks::is_one(&arguments.callback)
    {
        let argument = arguments.rest.first().map(|argument| {
            // SAFETY: a borrowed argument, alive for the call.
            unsafe { Borrowed::from_ptr(py, *argument) }
                .to_owned()
                .unbind()
        });
        core.get().push(
            py,
            Call::Bare {
                callback: arguments.callback.to_owned().unbind(),
                argument,
                context: context.to_owned().unbind(),
            },
        );
        return Ok(py.None().into_bound(py));
    }
    let context = match arguments.context {
        Some(context) => context.to_owned().unbind(),
        None => copy_context(py)?,
    };
    let rest = arguments.rest.iter().map(|argument| {
        // SAFETY: a borrowed argument, alive for the call.
        unsafe { Borrowed::from_ptr(py, *argument) }.to_owned()
    });
    let rest = PyTuple::new(py, rest.collect::<Vec<_>>())?.unbind();
    let callback = arguments.callback.to_owned().unbind();
    let handle = Py::new(py, Handle::new(callback, rest, context, core.get().time()))?;
    core.get().push(py, Call::Handle(handle.clone_ref(py)));
    Ok(handle.into_bound(py).into_any())
}
