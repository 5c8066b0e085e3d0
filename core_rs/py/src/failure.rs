//! A recorded failure as Python sees it: fields, which `perdure.convert` turns into exceptions.

use std::time::Duration;

use perdure_history::{Failure, FailureKind, Payload, RetryState, RunId, TimeoutKind};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A failure; see `perdure_history::Failure`.
#[pyclass(
    frozen,
    from_py_object,
    name = "Failure",
    module = "perdure._core._native"
)]
#[derive(Clone, Debug)]
pub(crate) struct PyFailure(pub(crate) Failure);

const TIMEOUT_KINDS: [(&str, TimeoutKind); 5] = [
    ("schedule_to_start", TimeoutKind::ScheduleToStart),
    ("start_to_close", TimeoutKind::StartToClose),
    ("schedule_to_close", TimeoutKind::ScheduleToClose),
    ("heartbeat", TimeoutKind::Heartbeat),
    ("run", TimeoutKind::Run),
];

const RETRY_STATES: [(&str, RetryState); 4] = [
    ("non_retryable", RetryState::NonRetryable),
    (
        "maximum_attempts_reached",
        RetryState::MaximumAttemptsReached,
    ),
    ("timed_out", RetryState::TimedOut),
    ("cancel_requested", RetryState::CancelRequested),
];

fn named<T: Copy + PartialEq>(table: &[(&'static str, T)], value: T) -> &'static str {
    table
        .iter()
        .find(|(_, each)| *each == value)
        .map_or("unknown", |(name, _)| name)
}

fn of_name<T: Copy>(table: &[(&'static str, T)], name: &str) -> PyResult<T> {
    let found = table
        .iter()
        .find(|(each, _)| *each == name)
        .map(|(_, value)| *value);
    found.ok_or_else(|| PyValueError::new_err(format!("{name:?} names nothing here")))
}

fn payload(data: Option<Vec<u8>>) -> Option<Payload> {
    data.map(|data| Payload(data.into()))
}

impl PyFailure {
    fn make(message: String, stack: String, cause: Option<Self>, kind: FailureKind) -> Self {
        let cause = cause.map(|cause| Box::new(cause.0));
        Self(Failure {
            kind,
            message,
            stack,
            cause,
        })
    }
}

#[pymethods]
impl PyFailure {
    /// Raised by user code. `details` is one encoded list.
    #[staticmethod]
    #[pyo3(signature = (message, *, type_name, stack="".into(), details=None, non_retryable=false,
        next_retry_delay_us=None, cause=None))]
    fn application(
        message: String,
        type_name: String,
        stack: String,
        details: Option<Vec<u8>>,
        non_retryable: bool,
        next_retry_delay_us: Option<u64>,
        cause: Option<Self>,
    ) -> Self {
        let kind = FailureKind::Application {
            type_name,
            details: payload(details),
            non_retryable,
            next_retry_delay: next_retry_delay_us.map(Duration::from_micros),
        };
        Self::make(message, stack, cause, kind)
    }

    /// One of the timeouts passed.
    #[staticmethod]
    #[pyo3(signature = (message, *, kind, last_heartbeat_details=None, cause=None))]
    fn timeout(
        message: String,
        kind: &str,
        last_heartbeat_details: Option<Vec<u8>>,
        cause: Option<Self>,
    ) -> PyResult<Self> {
        let kind = FailureKind::Timeout {
            kind: of_name(&TIMEOUT_KINDS, kind)?,
            last_heartbeat_details: payload(last_heartbeat_details),
        };
        Ok(Self::make(message, String::new(), cause, kind))
    }

    /// Cancelled from outside the awaiting code.
    #[staticmethod]
    #[pyo3(signature = (message, *, details=None, cause=None))]
    fn cancelled(message: String, details: Option<Vec<u8>>, cause: Option<Self>) -> Self {
        let kind = FailureKind::Cancelled {
            details: payload(details),
        };
        Self::make(message, String::new(), cause, kind)
    }

    /// The run was ended from outside.
    #[staticmethod]
    #[pyo3(signature = (message, *, cause=None))]
    fn terminated(message: String, cause: Option<Self>) -> Self {
        Self::make(message, String::new(), cause, FailureKind::Terminated)
    }

    /// An activity failed for good.
    #[staticmethod]
    #[pyo3(signature = (message, *, activity, service=None, attempt, retry_state, cause=None))]
    fn activity(
        message: String,
        activity: String,
        service: Option<String>,
        attempt: u32,
        retry_state: &str,
        cause: Option<Self>,
    ) -> PyResult<Self> {
        let retry_state = of_name(&RETRY_STATES, retry_state)?;
        let kind = FailureKind::Activity {
            activity,
            service,
            attempt,
            retry_state,
        };
        Ok(Self::make(message, String::new(), cause, kind))
    }

    /// A child workflow did not complete.
    #[staticmethod]
    #[pyo3(signature = (message, *, workflow_type, workflow_id, run_id, cause=None))]
    fn child_workflow(
        message: String,
        workflow_type: String,
        workflow_id: String,
        run_id: &str,
        cause: Option<Self>,
    ) -> PyResult<Self> {
        let run = RunId::parse(run_id)
            .ok_or_else(|| PyValueError::new_err(format!("{run_id:?} is no run id")))?;
        let kind = FailureKind::ChildWorkflow {
            workflow_type,
            workflow_id,
            run,
        };
        Ok(Self::make(message, String::new(), cause, kind))
    }

    /// `application`, `timeout`, `cancelled`, `terminated`, `activity`, `worker_lost` or
    /// `child_workflow`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0.kind {
            FailureKind::Application { .. } => "application",
            FailureKind::Timeout { .. } => "timeout",
            FailureKind::Cancelled { .. } => "cancelled",
            FailureKind::Terminated => "terminated",
            FailureKind::Activity { .. } => "activity",
            FailureKind::WorkerLost => "worker_lost",
            FailureKind::ChildWorkflow { .. } => "child_workflow",
            _ => "unknown",
        }
    }

    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    #[getter]
    fn stack(&self) -> &str {
        &self.0.stack
    }

    #[getter]
    fn cause(&self) -> Option<Self> {
        self.0.cause.as_deref().cloned().map(Self)
    }

    /// The error's type name; empty for other kinds than `application`.
    #[getter]
    fn type_name(&self) -> &str {
        match &self.0.kind {
            FailureKind::Application { type_name, .. } => type_name,
            _ => "",
        }
    }

    /// Details, one encoded list; last heartbeat details of a timeout.
    #[getter]
    fn details<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let details = match &self.0.kind {
            FailureKind::Application { details, .. } | FailureKind::Cancelled { details } => {
                details
            }
            FailureKind::Timeout {
                last_heartbeat_details,
                ..
            } => last_heartbeat_details,
            _ => &None,
        };
        details.as_ref().map(|details| PyBytes::new(py, &details.0))
    }

    #[getter]
    fn non_retryable(&self) -> bool {
        matches!(
            &self.0.kind,
            FailureKind::Application {
                non_retryable: true,
                ..
            }
        )
    }

    #[getter]
    fn next_retry_delay_us(&self) -> Option<u64> {
        match &self.0.kind {
            FailureKind::Application {
                next_retry_delay: Some(delay),
                ..
            } => u64::try_from(delay.as_micros()).ok(),
            _ => None,
        }
    }

    /// Which timeout; empty for other kinds.
    #[getter]
    fn timeout_kind(&self) -> &'static str {
        match self.0.kind {
            FailureKind::Timeout { kind, .. } => named(&TIMEOUT_KINDS, kind),
            _ => "",
        }
    }

    /// `(activity, service, attempt, retry_state)` of an activity's failure.
    #[getter]
    fn activity_call(&self) -> Option<(String, Option<String>, u32, &'static str)> {
        match &self.0.kind {
            FailureKind::Activity {
                activity,
                service,
                attempt,
                retry_state,
            } => {
                let retry_state = named(&RETRY_STATES, *retry_state);
                Some((activity.clone(), service.clone(), *attempt, retry_state))
            }
            _ => None,
        }
    }

    /// `(workflow_type, workflow_id, run_id)` of a child's failure.
    #[getter]
    fn child_run(&self) -> Option<(String, String, String)> {
        match &self.0.kind {
            FailureKind::ChildWorkflow {
                workflow_type,
                workflow_id,
                run,
            } => Some((workflow_type.clone(), workflow_id.clone(), run.to_string())),
            _ => None,
        }
    }
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<PyFailure>()
}
