//! What `call_soon`, `call_later` and `call_at` return.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::gil_cell::GilCell;
use super::loop_core::LoopCore;

/// A scheduled callback; `when()` is the loop time at which it is due.
#[pyclass(frozen, weakref, module = "perdure._core._native")]
pub(crate) struct Handle {
    when: f64,
    cancelled: AtomicBool,
    parts: GilCell<Option<Parts>>,
    timer: GilCell<Option<Timer>>,
}

struct Parts {
    callback: Py<PyAny>,
    arguments: Py<PyTuple>,
    context: Py<PyAny>,
}

/// The durable timer behind a handle, until it fires or is cancelled.
struct Timer {
    core: Py<LoopCore>,
    id: u64,
}

impl Handle {
    pub(crate) const fn new(
        callback: Py<PyAny>,
        arguments: Py<PyTuple>,
        context: Py<PyAny>,
        when: f64,
    ) -> Self {
        Self {
            when,
            cancelled: AtomicBool::new(false),
            parts: GilCell::new(Some(Parts {
                callback,
                arguments,
                context,
            })),
            timer: GilCell::new(None),
        }
    }

    /// A handle that will never run: what a dead loop gives.
    pub(crate) const fn cancelled_from_birth() -> Self {
        Self {
            when: 0.0,
            cancelled: AtomicBool::new(true),
            parts: GilCell::new(None),
            timer: GilCell::new(None),
        }
    }

    pub(crate) fn set_timer(&self, py: Python<'_>, core: Py<LoopCore>, id: u64) {
        self.timer
            .with(py, |timer| *timer = Some(Timer { core, id }));
    }

    /// Its timer fired: cancelling it asks for nothing any more.
    pub(crate) fn forget_timer(&self, py: Python<'_>) {
        let timer = self.timer.with(py, Option::take);
        drop(timer);
    }

    /// Its loop died: it holds nothing any more, so that no reference cycle goes through it.
    pub(crate) fn forget(&self, py: Python<'_>) {
        self.cancelled.store(true, Ordering::Relaxed);
        let parts = self.parts.with(py, Option::take);
        let timer = self.timer.with(py, Option::take);
        drop((parts, timer));
    }

    /// Takes out what is to be called; None when it was cancelled.
    pub(crate) fn parts(&self, py: Python<'_>) -> Option<(Py<PyAny>, Py<PyTuple>, Py<PyAny>)> {
        self.parts
            .with(py, Option::take)
            .map(|parts| (parts.callback, parts.arguments, parts.context))
    }
}

#[pymethods]
impl Handle {
    /// Takes the callback back; a timer that has not fired is cancelled with it.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        if self.cancelled.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let parts = self.parts.with(py, Option::take);
        drop(parts);
        match self.timer.with(py, Option::take) {
            Some(timer) => timer.core.bind(py).get().cancel_timer(py, timer.id),
            None => Ok(()),
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn when(&self) -> f64 {
        self.when
    }

    fn get_context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.parts.with(py, |parts| {
            parts.as_ref().map(|parts| parts.context.clone_ref(py))
        })
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        if self.cancelled() {
            return Ok("<Handle cancelled>".to_owned());
        }
        let callback = self.parts.with(py, |parts| {
            parts.as_ref().map(|parts| parts.callback.clone_ref(py))
        });
        match callback {
            Some(callback) => Ok(format!("<Handle {}>", callback.bind(py).repr()?)),
            None => Ok("<Handle done>".to_owned()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.parts
            .traverse(|parts| match parts {
                Some(parts) => {
                    visit.call(&parts.callback)?;
                    visit.call(&parts.arguments)?;
                    visit.call(&parts.context)
                }
                None => Ok(()),
            })
            .unwrap_or(Ok(()))?;
        self.timer
            .traverse(|timer| match timer {
                Some(timer) => visit.call(&timer.core),
                None => Ok(()),
            })
            .unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        self.forget(py);
    }
}
