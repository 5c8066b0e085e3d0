//! What one pump leaves to the host, as Python reads it.

use std::sync::{Arc, Mutex, PoisonError};

use perdure_engine::{HostWork, RuntimeHandle, Turn};
use perdure_history::RunId;
use perdure_machine::Machine;
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::reply::PyReply;
use super::task::ActivityTask;
use crate::errors;

/// A turn to step.
#[pyclass(frozen, name = "Turn", module = "perdure._core._native")]
pub(crate) struct PyTurn {
    run: RunId,
    now_us: i64,
    replay: bool,
    version: Option<Arc<str>>,
    machine: Mutex<Option<Box<Machine>>>,
}

impl PyTurn {
    fn new(turn: Turn) -> Self {
        Self {
            run: turn.run,
            now_us: turn.machine.now().as_micros(),
            replay: turn.replay,
            version: turn.version,
            machine: Mutex::new(Some(turn.machine)),
        }
    }

    pub(crate) fn id(&self) -> RunId {
        self.run
    }

    pub(crate) fn take_machine(&self) -> Option<Box<Machine>> {
        self.machine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

#[pymethods]
impl PyTurn {
    /// The run, 16 bytes.
    #[getter]
    fn run<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.run.0)
    }

    /// The run as 32 hexadecimal digits.
    #[getter]
    fn run_id(&self) -> String {
        self.run.to_string()
    }

    /// The run's time before this turn.
    #[getter]
    fn now_us(&self) -> i64 {
        self.now_us
    }

    /// The version of the workers whose code steps it: deployment, colon, build; None if they say
    /// none.
    #[getter]
    fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether the host has no instance of this run.
    #[getter]
    fn replay(&self) -> bool {
        self.replay
    }
}

/// What only the host can do; each list is taken once.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct Work {
    work: Mutex<HostWork>,
    idle: bool,
    handle: RuntimeHandle,
}

impl Work {
    pub(super) fn new(work: HostWork, handle: &RuntimeHandle) -> Self {
        Self {
            idle: work.is_empty(),
            work: Mutex::new(work),
            handle: handle.clone(),
        }
    }

    fn with<T>(&self, action: impl FnOnce(&mut HostWork) -> T) -> T {
        action(&mut self.work.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// See `Work.queries`.
type AskedQuery<'py> = (u64, Bound<'py, PyBytes>, String, Bound<'py, PyBytes>);

#[pymethods]
impl Work {
    /// Whether this pump left nothing to do but to wait.
    #[getter]
    fn is_idle(&self) -> bool {
        self.idle
    }

    /// Questions to live instances: who waits, run, name and arguments.
    fn queries<'py>(&self, py: Python<'py>) -> Vec<AskedQuery<'py>> {
        let queries = self.with(|work| std::mem::take(&mut work.queries));
        let asked = queries.into_iter().map(|(run, query)| {
            (
                query.reply_to.0,
                PyBytes::new(py, &run.0),
                query.name,
                PyBytes::new(py, &query.arguments.0),
            )
        });
        asked.collect()
    }

    /// Instances to drop, by run.
    fn evictions<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        let runs = self.with(|work| std::mem::take(&mut work.evictions));
        runs.iter().map(|run| PyBytes::new(py, &run.0)).collect()
    }

    /// Runs to step.
    fn turns(&self) -> Vec<PyTurn> {
        self.with(|work| std::mem::take(&mut work.turns))
            .into_iter()
            .map(PyTurn::new)
            .collect()
    }

    /// Local activities to run.
    fn tasks(&self) -> Vec<ActivityTask> {
        let tasks = self.with(|work| std::mem::take(&mut work.tasks));
        tasks
            .into_iter()
            .map(|task| ActivityTask::new(task, self.handle.clone()))
            .collect()
    }

    /// Local activities to cancel: task id and reason.
    fn cancels(&self) -> Vec<(String, String)> {
        let cancels = self.with(|work| std::mem::take(&mut work.cancels));
        cancels
            .into_iter()
            .map(|(task, reason)| (task.to_string(), reason))
            .collect()
    }

    /// Answers to clients, by the number that they gave.
    fn replies(&self) -> Vec<(u64, PyReply)> {
        let replies = self.with(|work| std::mem::take(&mut work.replies));
        replies
            .into_iter()
            .map(|(to, reply)| (to.0, PyReply(reply)))
            .collect()
    }

    /// Whether to call `commit_inline` and then pump again.
    #[getter]
    fn commit_inline(&self) -> bool {
        self.with(|work| work.commit_inline)
    }

    /// Whether more has come in than one pump handles: pump again.
    #[getter]
    fn more(&self) -> bool {
        self.with(|work| work.more)
    }

    /// Seconds until the next pump though nothing has come in.
    #[getter]
    fn wake_after_s(&self) -> Option<f64> {
        self.with(|work| work.wake_after.map(|wait| wait.as_secs_f64()))
    }

    /// Why the engine has stopped, as the exception of it: drop all instances and reopen, unless
    /// the store is damaged.
    #[getter]
    fn stopped(&self, py: Python<'_>) -> Option<Py<PyBaseException>> {
        let stopped = self.with(|work| work.stopped.clone())?;
        Some(errors::stopped(py, &stopped).into_value(py))
    }
}
