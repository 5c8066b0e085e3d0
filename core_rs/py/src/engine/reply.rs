//! The engine's answer to a client.

use perdure_engine::Reply;
use perdure_history::RunId;
use perdure_machine::effect::ClosedStatus;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::failure::PyFailure;

/// An answer; `kind` says which fields it has.
#[pyclass(frozen, name = "Reply", module = "perdure._core._native")]
pub(crate) struct PyReply(pub(crate) Reply);

pub(crate) fn status_name(status: ClosedStatus) -> &'static str {
    match status {
        ClosedStatus::Completed => "completed",
        ClosedStatus::Failed => "failed",
        ClosedStatus::Cancelled => "cancelled",
        ClosedStatus::Terminated => "terminated",
        ClosedStatus::TimedOut => "timed_out",
        ClosedStatus::ContinuedAsNew => "continued_as_new",
        _ => "closed",
    }
}

impl PyReply {
    fn run(&self) -> Option<RunId> {
        match &self.0 {
            Reply::Started { run }
            | Reply::AlreadyStarted { run }
            | Reply::IdUsed { run }
            | Reply::NotFound { run }
            | Reply::ActivityNotFound { run }
            | Reply::CancelRequested { run }
            | Reply::Closed { run, .. }
            | Reply::Result { run, .. }
            | Reply::UpdateEnded { run, .. }
            | Reply::UpdateRejected { run, .. }
            | Reply::UpdateNotFound { run }
            | Reply::ResetRefused { run, .. }
            | Reply::Parked { run, .. }
            | Reply::Damaged { run, .. } => Some(*run),
            _ => None,
        }
    }
}

#[pymethods]
impl PyReply {
    /// `started`, `already_started`, `id_used`, `accepted`, `not_found`, `activity_not_found`,
    /// `cancel_requested`, `closed`, `result`, `parked`, `update_ended`, `update_rejected`,
    /// `update_not_found`, `reset_refused`, `damaged`, `unstorable` or `refused`.
    #[getter]
    fn kind(&self) -> &'static str {
        match self.0 {
            Reply::Started { .. } => "started",
            Reply::AlreadyStarted { .. } => "already_started",
            Reply::IdUsed { .. } => "id_used",
            Reply::Accepted => "accepted",
            Reply::NotFound { .. } => "not_found",
            Reply::ActivityNotFound { .. } => "activity_not_found",
            Reply::CancelRequested { .. } => "cancel_requested",
            Reply::Closed { .. } => "closed",
            Reply::Result { .. } => "result",
            Reply::UpdateEnded { .. } => "update_ended",
            Reply::UpdateRejected { .. } => "update_rejected",
            Reply::UpdateNotFound { .. } => "update_not_found",
            Reply::ResetRefused { .. } => "reset_refused",
            Reply::Parked { .. } => "parked",
            Reply::Damaged { .. } => "damaged",
            Reply::Unstorable { .. } => "unstorable",
            Reply::Refused { .. } => "refused",
            _ => "unknown",
        }
    }

    /// The run as 32 hexadecimal digits.
    #[getter]
    fn run_id(&self) -> Option<String> {
        self.run().map(|run| run.to_string())
    }

    /// How a closed run ended; empty otherwise.
    #[getter]
    fn status(&self) -> &'static str {
        match &self.0 {
            Reply::Closed { status, .. } | Reply::Result { status, .. } => status_name(*status),
            _ => "",
        }
    }

    /// The run that goes on from a closed one, as 32 hexadecimal digits.
    #[getter]
    fn next_run_id(&self) -> Option<String> {
        match &self.0 {
            Reply::Result { next_run, .. } => next_run.map(|run| run.to_string()),
            _ => None,
        }
    }

    /// The encoded result.
    #[getter]
    fn result<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        match &self.0 {
            Reply::Result {
                outcome: Ok(payload),
                ..
            }
            | Reply::UpdateEnded {
                outcome: Ok(payload),
                ..
            } => Some(PyBytes::new(py, &payload.0)),
            _ => None,
        }
    }

    /// The failure that ended the run or the update.
    #[getter]
    fn failure(&self) -> Option<PyFailure> {
        match &self.0 {
            Reply::Result {
                outcome: Err(failure),
                ..
            }
            | Reply::UpdateEnded {
                outcome: Err(failure),
                ..
            }
            | Reply::UpdateRejected { failure, .. } => Some(PyFailure(failure.clone())),
            _ => None,
        }
    }

    /// `(code, message, traceback)` of a parked run.
    #[getter]
    fn park_reason(&self) -> Option<(String, String, String)> {
        match &self.0 {
            Reply::Parked { reason, .. } => Some((
                reason.code.clone(),
                reason.message.clone(),
                reason.traceback.clone(),
            )),
            _ => None,
        }
    }

    /// Why a message was refused, or what is damaged; empty otherwise.
    #[getter]
    fn refusal(&self) -> String {
        match &self.0 {
            Reply::Refused { reason } => String::from_utf8_lossy(reason).into_owned(),
            Reply::Damaged { reason, .. }
            | Reply::ResetRefused { reason, .. }
            | Reply::Unstorable { reason } => reason.clone(),
            _ => String::new(),
        }
    }
}
