//! C functions that stand in for library functions: one answer inside workflows, the original's
//! elsewhere.
//!
//! A wrapper in Python would cost every caller of the process a frame; this costs a thread-local
//! read and a jump. Like the originals they are plain builtins: not bound when they are a class
//! attribute, and pickled by name. So each needs a C function of its own, and there are so many.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::current;

/// How many functions can be substituted.
const SLOTS: usize = 32;

/// What one stand-in chooses between. Both live as long as the process.
struct Slot {
    original: AtomicPtr<ffi::PyObject>,
    inside: AtomicPtr<ffi::PyObject>,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        original: AtomicPtr::new(null_mut()),
        inside: AtomicPtr::new(null_mut()),
    }
}; SLOTS];
static USED: AtomicUsize = AtomicUsize::new(0);

type FastCall = unsafe extern "C" fn(
    *mut ffi::PyObject,
    *const *mut ffi::PyObject,
    ffi::Py_ssize_t,
    *mut ffi::PyObject,
) -> *mut ffi::PyObject;

#[expect(
    clippy::indexing_slicing,
    reason = "a constant index, checked by the compiler"
)]
unsafe extern "C" fn stand_in<const SLOT: usize>(
    _module: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    keyword_names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    let slot = const { &TABLE[SLOT] };
    let target = if current::inside() {
        &slot.inside
    } else {
        &slot.original
    };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the slot is filled before the function can be reached, and never emptied; the
    // arguments are those of this call, handed on unchanged.
    unsafe {
        ffi::PyObject_Vectorcall(
            target.load(Ordering::Relaxed),
            arguments,
            count,
            keyword_names,
        )
    }
}

macro_rules! stand_ins {
    ($($slot:literal)*) => { [$(stand_in::<$slot>),*] };
}

static STAND_INS: [FastCall; SLOTS] = stand_ins!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
);

/// A builtin `module.name` that calls `inside` in workflows and `original` elsewhere.
#[pyfunction]
fn substitute<'py>(
    original: Bound<'py, PyAny>,
    inside: Bound<'py, PyAny>,
    module: &Bound<'py, PyString>,
    name: String,
) -> PyResult<Bound<'py, PyAny>> {
    let py = original.py();
    let number = USED.fetch_add(1, Ordering::Relaxed);
    let (Some(slot), Some(function)) = (TABLE.get(number), STAND_INS.get(number)) else {
        return Err(PyRuntimeError::new_err(
            "no slot is left to substitute a function",
        ));
    };
    slot.original.store(original.into_ptr(), Ordering::Relaxed);
    slot.inside.store(inside.into_ptr(), Ordering::Relaxed);
    // The name and the definition live as long as the process: so do their callers.
    let name = Box::leak(std::ffi::CString::new(name)?.into_boxed_c_str());
    let definition = Box::leak(Box::new(ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: *function,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: c"Deterministic inside a workflow, the standard library's own elsewhere.".as_ptr(),
    }));
    // SAFETY: the definition lives for ever, and its function has the signature of its flags.
    unsafe {
        Bound::from_owned_ptr_or_err(
            py,
            ffi::PyCFunction_NewEx(definition, null_mut(), module.as_ptr()),
        )
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(substitute, module)?)
}
