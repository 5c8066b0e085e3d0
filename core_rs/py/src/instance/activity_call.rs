//! The coroutine that calling an activity gives: it encodes its arguments at the call, schedules
//! at its first step, and ends with the activity's result.

use std::ptr::null_mut;
use std::sync::Arc;

use perdure_history::{CancellationType, Digest, Payload, Site};
use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::activity_plan::ActivityPlan;
use super::core::InstanceCore;
use crate::event_loop::GilCell;

/// How far the call is.
enum State {
    /// Not yet scheduled.
    Fresh {
        arguments: Payload,
        digest: Digest,
        site: Option<Arc<Site>>,
    },
    /// Scheduled as command `n`; `future` resolves with it.
    Waiting { n: u64, future: Py<PyAny> },
    /// Over, or never to begin.
    Done,
}

/// One call of an activity by workflow code.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct ActivityCall {
    instance: Py<InstanceCore>,
    plan: Py<ActivityPlan>,
    state: GilCell<State>,
}

/// What a step gives: a future to wait for, or the result.
enum Step<'py> {
    Yield(Bound<'py, PyAny>),
    Return(Bound<'py, PyAny>),
}

impl ActivityCall {
    pub(crate) fn new(
        instance: Py<InstanceCore>,
        plan: Py<ActivityPlan>,
        arguments: Payload,
        site: Option<Arc<Site>>,
    ) -> Self {
        let digest = arguments.digest();
        let state = GilCell::new(State::Fresh {
            arguments,
            digest,
            site,
        });
        Self {
            instance,
            plan,
            state,
        }
    }

    fn step<'py>(&self, py: Python<'py>) -> PyResult<Step<'py>> {
        match self
            .state
            .with(py, |state| std::mem::replace(state, State::Done))
        {
            State::Fresh {
                arguments,
                digest,
                site,
            } => {
                let instance = self.instance.bind(py);
                let plan = self.plan.bind(py);
                let (n, future) = InstanceCore::schedule(instance, plan, arguments, digest, site)?;
                let waiting = State::Waiting {
                    n,
                    future: future.clone().unbind(),
                };
                self.state.with(py, |state| *state = waiting);
                block_on(&future)?;
                Ok(Step::Yield(future))
            }
            State::Waiting { future, .. } => {
                let name = pyo3::intern!(py, "result");
                Ok(Step::Return(future.into_bound(py).call_method0(name)?))
            }
            State::Done => {
                let name = &self.plan.get().name;
                let message = format!("the call of {name} was awaited already: call it again");
                Err(PyRuntimeError::new_err(message))
            }
        }
    }
}

/// Says to the task that this future is to be waited for, as a future's own iterator does.
fn block_on(future: &Bound<'_, PyAny>) -> PyResult<()> {
    future.setattr(pyo3::intern!(future.py(), "_asyncio_future_blocking"), true)
}

#[pymethods]
impl ActivityCall {
    fn __await__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __iter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.step(py)? {
            Step::Yield(future) => Ok(future),
            Step::Return(value) => Err(stop_iteration(py, value)),
        }
    }

    fn send<'py>(
        &self,
        py: Python<'py>,
        _value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.__next__(py)
    }

    /// The awaiting code is being cancelled: the activity is cancelled with it.
    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw<'py>(
        &self,
        py: Python<'py>,
        kind: Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        _traceback: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let state = self
            .state
            .with(py, |state| std::mem::replace(state, State::Done));
        if let State::Waiting { n, .. } = state {
            let tell_worker =
                self.plan.get().options.cancellation_type != CancellationType::Abandon;
            InstanceCore::cancel_activity(self.instance.bind(py), n, tell_worker)?;
        }
        let error = match value {
            Some(value) => value,
            None if kind.is_instance_of::<pyo3::types::PyType>() => kind.call0()?,
            None => kind,
        };
        Err(PyErr::from_value(error))
    }

    /// Asks the worker to cancel, and goes on waiting.
    fn request_cancel(&self, py: Python<'_>) -> PyResult<()> {
        let waiting = self.state.with(py, |state| match state {
            State::Waiting { n, .. } => Some(*n),
            _ => None,
        });
        waiting.map_or(Ok(()), |n| self.instance.get().request_cancel(py, n))
    }

    fn close(&self, py: Python<'_>) {
        let state = self
            .state
            .with(py, |state| std::mem::replace(state, State::Done));
        drop(state);
    }

    fn __repr__(&self) -> String {
        format!("<call of activity {}>", self.plan.get().name)
    }
}

/// `StopIteration(value)`, whatever the value is.
fn stop_iteration<'py>(py: Python<'py>, value: Bound<'py, PyAny>) -> PyErr {
    // A tuple given as the argument itself would be taken for the arguments.
    match PyTuple::new(py, [value]) {
        Ok(arguments) => PyStopIteration::new_err(arguments.unbind()),
        Err(error) => error,
    }
}

/// Gives the class the C slot by which tasks and `await` step a coroutine, so that a result needs
/// no `StopIteration` object.
pub(super) fn attach(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<ActivityCall>();
    let pointer: *mut ffi::PyTypeObject = class.as_type_ptr();
    // SAFETY: the class is a heap type that lives for ever and has `__await__`, so that its table
    // of asynchronous methods exists; no call of it is under way yet.
    unsafe {
        let methods = (*pointer).tp_as_async;
        if methods.is_null() {
            return Ok(());
        }
        (*methods).am_send = Some(am_send);
        ffi::PyType_Modified(pointer);
    }
    Ok(())
}

unsafe extern "C" fn am_send(
    call: *mut ffi::PyObject,
    _value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> ffi::PySendResult {
    Python::attach(|py| {
        // SAFETY: the slot belongs to `ActivityCall`, which cannot be subclassed; the object is
        // borrowed for the call.
        let call: Bound<'_, ActivityCall> =
            unsafe { Bound::from_borrowed_ptr(py, call).cast_into_unchecked() };
        let (value, status) = match call.get().step(py) {
            Ok(Step::Yield(future)) => (future.into_ptr(), ffi::PySendResult::PYGEN_NEXT),
            Ok(Step::Return(value)) => (value.into_ptr(), ffi::PySendResult::PYGEN_RETURN),
            Err(error) => {
                error.restore(py);
                (null_mut(), ffi::PySendResult::PYGEN_ERROR)
            }
        };
        // SAFETY: the caller gives a place for the result.
        unsafe { *result = value };
        status
    })
}
