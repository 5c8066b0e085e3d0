//! Interior mutability guarded by the interpreter lock.

use std::cell::RefCell;

use pyo3::Python;

/// A `RefCell` that only a thread attached to the interpreter can open.
///
/// Never drop a Python reference while it is open: a finalizer may come back in. Take the value
/// out, close the cell, then drop.
pub(crate) struct GilCell<T>(RefCell<T>);

// SAFETY: every access takes a `Python` token, so that only the thread that holds the interpreter
// lock reaches the value; the module declares that it needs that lock (`gil_used = true`), and no
// access spans a call that could release it.
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(RefCell::new(value))
    }

    /// Opens the cell for the length of `action`.
    pub(crate) fn with<R>(&self, _py: Python<'_>, action: impl FnOnce(&mut T) -> R) -> R {
        action(&mut self.0.borrow_mut())
    }

    /// Opens the cell for the garbage collector, which holds the lock but has no token.
    pub(crate) fn traverse<R>(&self, action: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.try_borrow().ok().map(|value| action(&value))
    }
}
