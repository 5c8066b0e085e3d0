//! A local activity's task, and what its runner says of it from any thread.

use perdure_engine::{Input, Route, RuntimeHandle, Task, TaskOutcome, TaskReport, line_parts};
use perdure_history::{Payload, RunId, Timestamp};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert;
use crate::failure::PyFailure;

/// Run, command number, attempt and nonce, integers big-endian.
const TOKEN_BYTES: usize = 36;

/// The command number, the attempt and the nonce in a token; `None` when it is none of the run.
pub(super) fn read_token(token: &[u8], run: RunId) -> Option<(u64, u32, u64)> {
    let rest = token.strip_prefix(run.0.as_slice())?;
    let (command_n, rest) = rest.split_first_chunk()?;
    let (attempt, rest) = rest.split_first_chunk()?;
    let nonce = rest.try_into().ok()?;
    Some((
        u64::from_be_bytes(*command_n),
        u32::from_be_bytes(*attempt),
        u64::from_be_bytes(nonce),
    ))
}

/// See `call_of`.
type Call<'py> = (Bound<'py, PyBytes>, u64, bool, Option<u64>);

/// The call behind a task: run, number of its command, whether it is a local activity, whose
/// code the instance has, and its session (0 in what begins one).
#[pyfunction]
pub(super) fn call_of<'py>(py: Python<'py>, task: &Bound<'py, ActivityTask>) -> Call<'py> {
    let task = &task.get().task;
    let run = PyBytes::new(py, &task.id.run.0);
    (run, task.id.n, task.local, task.session)
}

/// One attempt of one local activity.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct ActivityTask {
    task: Task,
    handle: RuntimeHandle,
}

impl ActivityTask {
    pub(super) fn new(task: Task, handle: RuntimeHandle) -> Self {
        Self { task, handle }
    }

    fn report(&self, outcome: TaskOutcome) -> Input {
        Input::Task(TaskReport {
            id: self.task.id,
            nonce: self.task.nonce,
            outcome,
        })
    }

    /// The report of success; `EncodeError` when the value cannot travel.
    pub(super) fn completed(&self, value: &Bound<'_, PyAny>) -> PyResult<Input> {
        let result = convert::to_payload(value)?;
        Ok(self.report(TaskOutcome::Completed { result }))
    }
}

#[pymethods]
impl ActivityTask {
    #[getter]
    fn id(&self) -> String {
        self.task.id.to_string()
    }

    /// What names the attempt to those who complete it from elsewhere.
    #[getter]
    fn token<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let id = self.task.id;
        let mut token = Vec::with_capacity(TOKEN_BYTES);
        token.extend_from_slice(&id.run.0);
        token.extend_from_slice(&id.n.to_be_bytes());
        token.extend_from_slice(&id.attempt.to_be_bytes());
        token.extend_from_slice(&self.task.nonce.to_be_bytes());
        PyBytes::new(py, &token)
    }

    #[getter]
    fn attempt(&self) -> u32 {
        self.task.id.attempt
    }

    #[getter]
    fn activity(&self) -> &str {
        &self.task.activity
    }

    /// The task queue that it came on.
    #[getter]
    fn task_queue(&self) -> &str {
        match &self.task.route {
            Route::TaskQueue(line) => line_parts(line).0,
            Route::Service(name) => name,
        }
    }

    /// The version of the workers that may run it; None for any.
    #[getter]
    fn version(&self) -> Option<&str> {
        match &self.task.route {
            Route::TaskQueue(line) => line_parts(line).1,
            Route::Service(_) => None,
        }
    }

    /// The run that asked: namespace, workflow id, workflow type, run id.
    #[getter]
    fn asked_by(&self) -> (&str, &str, &str, String) {
        let task = &self.task;
        (
            &task.namespace,
            &task.workflow_id,
            &task.workflow_type,
            task.id.run.to_string(),
        )
    }

    /// The idempotency key, and the fencing token.
    #[getter]
    fn keys(&self) -> (String, u64) {
        let task = &self.task;
        (task.idempotency_key.to_string(), task.fencing_token)
    }

    #[getter]
    fn scheduled_at_us(&self) -> i64 {
        self.task.scheduled_at.as_micros()
    }

    /// None when nothing limits the attempt.
    #[getter]
    fn deadline_us(&self) -> Option<i64> {
        let deadline = self.task.deadline;
        (deadline != Timestamp::NEVER).then_some(deadline.as_micros())
    }

    #[getter]
    fn heartbeat_timeout_us(&self) -> Option<u64> {
        let timeout = self.task.heartbeat_timeout?;
        u64::try_from(timeout.as_micros()).ok()
    }

    #[getter]
    fn heartbeat_details<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.task
            .heartbeat_details
            .as_ref()
            .map(|details| PyBytes::new(py, &details.0))
    }

    #[getter]
    fn last_failure(&self) -> Option<PyFailure> {
        self.task.last_failure.clone().map(PyFailure)
    }

    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        self.task.headers.clone()
    }

    /// The positional arguments, one encoded list.
    #[getter]
    fn arguments<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.task.arguments.0)
    }

    /// The attempt is alive; from any thread.
    #[pyo3(signature = (details=None))]
    fn heartbeat(&self, details: Option<Vec<u8>>) {
        let details = details.map(|details| Payload(details.into()));
        self.handle
            .submit(self.report(TaskOutcome::Heartbeat { details }));
    }

    /// The attempt failed; from any thread.
    fn fail(&self, failure: PyFailure) {
        self.handle
            .submit(self.report(TaskOutcome::Failed { failure: failure.0 }));
    }

    /// The attempt ended because of a cancel; from any thread.
    fn cancelled(&self) {
        self.handle
            .submit(self.report(TaskOutcome::Cancelled { details: None }));
    }

    /// The attempt's code has returned, and its outcome comes from elsewhere; from any thread.
    fn detached(&self) {
        self.handle.submit(self.report(TaskOutcome::Detached));
    }

    /// The attempt has not begun, and may be handed out again; from any thread.
    fn not_started(&self, reason: String) {
        self.handle.submit(self.report(TaskOutcome::NotStarted {
            reason,
            retry_after: None,
        }));
    }
}
