//! A store as other processes see it: read directly, written through the inbox.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use perdure_engine::closing::last_closing;
use perdure_engine::pausing::StatusDetail;
use perdure_engine::{Reply, Seal, encode_message};
use perdure_history::{MessageId, Timestamp};
use perdure_store::filter::Builtin;
use perdure_store::{
    Cursor, Inbox, InboxMessage, LocalReader, Owner, RunFilter, RunQuery, RunStatus, RunSummary,
    Search, StorePaths, parse_query,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::host::run_id;
use super::messages;
use super::reply::PyReply;
use crate::errors;
use crate::instance::RecordedHistory;
use crate::payload_codec::seal;
use crate::search;

/// The socket of the engine that owns a store, if one runs.
#[pyfunction]
pub(super) fn owner_socket(py: Python<'_>, path: PathBuf) -> PyResult<Option<(u32, String)>> {
    let owner = StorePaths::new(&path)
        .and_then(|paths| Owner::find(&paths))
        .map_err(|error| errors::store_error(py, &error))?;
    Ok(owner.map(|owner| (owner.pid, owner.socket.display().to_string())))
}

/// Reads a store that another process may own.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct StoreReader {
    reader: Mutex<LocalReader>,
    seal: Seal,
}

/// The place in the order of a search after which a page begins.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct SearchPlace(Cursor);

/// Looks whether a text is a query.
#[pyfunction]
pub(super) fn check_query(py: Python<'_>, query: &str) -> PyResult<()> {
    parsed(py, query).map(drop)
}

/// Workflow id, workflow type and status, each where it matters, and what the types of workflows
/// begin with that are left out.
type Names = (
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn narrowed(py: Python<'_>, query: &str, names: Names) -> PyResult<RunQuery> {
    let mut query = parsed(py, query)?;
    let (workflow_id, workflow_type, status, left_out) = names;
    let fields = [
        (Builtin::WorkflowId, workflow_id),
        (Builtin::WorkflowType, workflow_type),
        (Builtin::Status, status),
    ];
    for (field, name) in fields {
        if let Some(name) = name {
            query.require(field, &name);
        }
    }
    if let Some(prefix) = left_out {
        query.leave_out(Builtin::WorkflowType, &prefix);
    }
    Ok(query)
}

fn parsed(py: Python<'_>, query: &str) -> PyResult<RunQuery> {
    parse_query(query).map_err(|error| errors::invalid_query(py, &error))
}

const STATUSES: [(&str, RunStatus); 9] = [
    ("running", RunStatus::Running),
    ("parked", RunStatus::Parked),
    ("paused", RunStatus::Paused),
    ("completed", RunStatus::Completed),
    ("failed", RunStatus::Failed),
    ("cancelled", RunStatus::Cancelled),
    ("terminated", RunStatus::Terminated),
    ("timed_out", RunStatus::TimedOut),
    ("continued_as_new", RunStatus::ContinuedAsNew),
];

#[pymethods]
impl StoreReader {
    #[new]
    #[pyo3(signature = (path, codec=None))]
    fn new(py: Python<'_>, path: PathBuf, codec: Option<Py<PyAny>>) -> PyResult<Self> {
        let opened = py.detach(|| LocalReader::open(&path));
        let reader = opened.map_err(|error| errors::store_error(py, &error))?;
        Ok(Self {
            reader: Mutex::new(reader),
            seal: seal(codec),
        })
    }

    /// What can be known of one run without its history; None when there is none.
    fn describe<'py>(&self, py: Python<'py>, run: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
        let run = run_id(run)?;
        let summary = self.with(py, |reader| reader.describe(run))?;
        summary
            .map(|summary| summary_fields(py, &self.seal, summary))
            .transpose()
    }

    /// Whether the run has taken up a message: what it says is in the history.
    fn has_consumed(&self, py: Python<'_>, run: &[u8], message_id: String) -> PyResult<bool> {
        let run = run_id(run)?;
        self.with(py, |reader| {
            reader.has_consumed(run, &MessageId(message_id))
        })
    }

    /// Runs by filter, newest first.
    #[pyo3(signature = (*, namespace=None, workflow_id=None, workflow_type=None, status=None,
        before=None, limit=0))]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        namespace: Option<String>,
        workflow_id: Option<String>,
        workflow_type: Option<String>,
        status: Option<&str>,
        before: Option<&[u8]>,
        limit: usize,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let before = before.map(run_id).transpose()?;
        let status = status.map(status_of).transpose()?;
        let filter = RunFilter {
            namespace,
            workflow_id,
            workflow_type,
            status,
            before,
            limit,
        };
        let runs = self.with(py, |reader| reader.list(&filter))?;
        runs.into_iter()
            .map(|summary| summary_fields(py, &self.seal, summary))
            .collect()
    }

    /// A page of the runs that a query asks for, and where the next one begins.
    #[pyo3(signature = (query, names, *, namespace=None, after=None, limit=0))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        query: &str,
        names: Names,
        namespace: Option<String>,
        after: Option<&SearchPlace>,
        limit: usize,
    ) -> PyResult<(Vec<Bound<'py, PyDict>>, Option<SearchPlace>)> {
        let search = Search {
            namespace,
            query: narrowed(py, query, names)?,
            after: after.map(|place| place.0.clone()),
            limit,
        };
        let runs = self.with(py, |reader| reader.search(&search))?;
        let next = runs.last().map(|last| SearchPlace(search.cursor(last)));
        let fields = runs
            .into_iter()
            .map(|summary| summary_fields(py, &self.seal, summary));
        Ok((fields.collect::<PyResult<_>>()?, next))
    }

    /// How many runs a query asks for.
    #[pyo3(signature = (query, names, *, namespace=None))]
    fn count(
        &self,
        py: Python<'_>,
        query: &str,
        names: Names,
        namespace: Option<String>,
    ) -> PyResult<u64> {
        let search = Search {
            namespace,
            query: narrowed(py, query, names)?,
            ..Search::default()
        };
        self.with(py, |reader| reader.count(&search))
    }

    /// How many runs of a namespace are open, by workflow type.
    fn open_by_type(&self, py: Python<'_>, namespace: &str) -> PyResult<Vec<(String, u64)>> {
        self.with(py, |reader| reader.open_by_type(namespace))
    }

    /// The same by workflow type and by the values of a text attribute.
    fn open_by_value(
        &self,
        py: Python<'_>,
        namespace: &str,
        attribute: &str,
    ) -> PyResult<Vec<(String, String, u64)>> {
        self.with(py, |reader| reader.open_by_value(namespace, attribute))
    }

    /// The history of a run as JSON lines, one record each.
    fn history(&self, py: Python<'_>, run: &[u8]) -> PyResult<String> {
        let run = run_id(run)?;
        let batches = self.with(py, |reader| reader.read(run, 1))?;
        perdure_history::json::export(run, &batches).map_err(|error| errors::damaged(py, &error))
    }

    /// How a closed run ended, as its engine would answer; None when it is not closed here.
    fn outcome(&self, py: Python<'_>, run: &[u8]) -> PyResult<Option<PyReply>> {
        let run = run_id(run)?;
        let batches = self.with(py, |reader| match reader.describe(run)? {
            Some(summary) if summary.closed_at.is_some() => reader.read(run, 1).map(Some),
            _ => Ok(None),
        })?;
        let Some(batches) = batches else {
            return Ok(None);
        };
        let mut records = perdure_history::decode_history(run, &batches)
            .map_err(|error| errors::damaged(py, &error))?;
        self.seal.open_records(&mut records);
        Ok(last_closing(&records).map(|closed| {
            PyReply(Reply::Result {
                run,
                status: closed.status,
                next_run: closed.next_run(),
                outcome: closed.outcome,
            })
        }))
    }

    /// Checks every page, and what is open.
    fn check_pages(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, LocalReader::check_pages)
    }

    /// Checks the history of a run: its batches, their order and their chain.
    fn check_history(&self, py: Python<'_>, run: &[u8]) -> PyResult<()> {
        let run = run_id(run)?;
        let batches = self.with(py, |reader| reader.read(run, 1))?;
        py.detach(|| perdure_history::decode_history(run, &batches).map(drop))
            .map_err(|error| errors::damaged(py, &error))
    }

    /// What the history of a run takes: its bytes, the bytes stored for it, its large values, and
    /// the chunks that they lie in.
    fn stored_size(&self, py: Python<'_>, run: &[u8]) -> PyResult<Option<(u64, u64, u64, u64)>> {
        let run = run_id(run)?;
        let size = self.with(py, |reader| reader.stored_size(run))?;
        Ok(size.map(|size| {
            (
                size.history_bytes,
                size.stored_bytes,
                size.large_values,
                size.chunks,
            )
        }))
    }

    /// The history of a run as it is stored, to be replayed.
    fn recorded(&self, py: Python<'_>, run: &[u8]) -> PyResult<RecordedHistory> {
        let run = run_id(run)?;
        let batches = self.with(py, |reader| reader.read(run, 1))?;
        Ok(RecordedHistory::new(run, batches, self.seal.clone()))
    }
}

impl StoreReader {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&LocalReader) -> Result<T, perdure_store::StoreError> + Send,
    ) -> PyResult<T> {
        let outcome =
            py.detach(|| action(&self.reader.lock().unwrap_or_else(PoisonError::into_inner)));
        outcome.map_err(|error| errors::store_error(py, &error))
    }
}

fn status_of(name: &str) -> PyResult<RunStatus> {
    let found = STATUSES
        .iter()
        .find(|(each, _)| *each == name)
        .map(|(_, status)| *status);
    found.ok_or_else(|| PyValueError::new_err(format!("no status is called {name:?}")))
}

fn summary_fields<'py>(
    py: Python<'py>,
    seal: &Seal,
    mut run: RunSummary,
) -> PyResult<Bound<'py, PyDict>> {
    let memo = run.visibility.memo.iter_mut();
    seal.open(memo.map(|(_, value)| value).collect());
    let fields = PyDict::new(py);
    let status = STATUSES
        .iter()
        .find(|(_, each)| *each == run.status)
        .map_or("", |(name, _)| name);
    fields.set_item("run", PyBytes::new(py, &run.run.0))?;
    fields.set_item("run_id", run.run.to_string())?;
    fields.set_item("namespace", &run.namespace)?;
    fields.set_item("workflow_id", &run.workflow_id)?;
    fields.set_item("workflow_type", &run.workflow_type)?;
    fields.set_item("task_queue", &run.task_queue)?;
    fields.set_item("status", status)?;
    fields.set_item("started_at_us", run.started_at.as_micros())?;
    fields.set_item("closed_at_us", run.closed_at.map(Timestamp::as_micros))?;
    fields.set_item("last_n", run.last_n)?;
    let detail = StatusDetail::decode(&run.status_detail);
    fields.set_item("pause_reason", detail.paused)?;
    let reason = detail
        .parked
        .map(|reason| (reason.code, reason.message, reason.traceback));
    fields.set_item("park_reason", reason)?;
    let visibility = &run.visibility;
    let attributes = search::attribute_fields(py, &visibility.search_attributes)?;
    fields.set_item("search_attributes", attributes)?;
    fields.set_item("memo", search::memo_fields(py, &visibility.memo)?)?;
    Ok(fields)
}

/// Leaves messages for whatever engine owns the store, now or later.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct StoreInbox {
    inbox: Mutex<Inbox>,
    seal: Seal,
}

#[pymethods]
impl StoreInbox {
    #[new]
    #[pyo3(signature = (path, codec=None))]
    fn new(py: Python<'_>, path: PathBuf, codec: Option<Py<PyAny>>) -> PyResult<Self> {
        let opened = py.detach(|| Inbox::open(&path));
        let inbox = opened.map_err(|error| errors::store_error(py, &error))?;
        Ok(Self {
            inbox: Mutex::new(inbox),
            seal: seal(codec),
        })
    }

    /// Makes a message durable; False when it waits there already.
    #[pyo3(signature = (kind, message_id, now_us, **fields))]
    fn post(
        &self,
        py: Python<'_>,
        kind: &str,
        message_id: String,
        now_us: i64,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<bool> {
        let body = messages::body(kind, fields)?;
        let received_at = Timestamp::from_micros(now_us);
        let message_id = MessageId(message_id);
        let encoded = encode_message(&message_id, &body, received_at).ok_or_else(|| {
            PyValueError::new_err(format!("a message {kind:?} is never kept in the inbox"))
        })?;
        let sealed = self.seal.close_message(&encoded);
        let encoded = sealed.map_err(|reason| errors::unsealed(py, &reason))?;
        let run = body.recipient();
        let message = InboxMessage {
            run,
            message_id,
            received_at,
            body: encoded,
        };
        let posted = py.detach(|| {
            self.inbox
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .post(&message)
        });
        posted.map_err(|error| errors::store_error(py, &error))
    }
}
