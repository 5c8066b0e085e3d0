//! A client's message from keyword arguments.

use std::time::Duration;

use perdure_engine::{MessageBody, StartRun};
use perdure_history::{Chain, Payload, RunId};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::host::run_id;

/// The body of a message of a kind: `start`, `signal`, `cancel`, `terminate`, `unpark`,
/// `await_result` or `query`.
pub(super) fn body(kind: &str, fields: Option<&Bound<'_, PyDict>>) -> PyResult<MessageBody> {
    let fields = fields.ok_or_else(|| PyKeyError::new_err("run"))?;
    let run = run_id(&field::<Vec<u8>>(fields, "run")?)?;
    Ok(match kind {
        "start" => MessageBody::Start(Box::new(start(fields, run)?)),
        "signal" => MessageBody::Signal {
            run,
            name: field(fields, "name")?,
            arguments: Payload(field::<Vec<u8>>(fields, "arguments")?.into()),
        },
        "cancel" => MessageBody::Cancel {
            run,
            reason: field(fields, "reason")?,
        },
        "terminate" => MessageBody::Terminate {
            run,
            reason: field(fields, "reason")?,
        },
        "unpark" => MessageBody::Unpark { run },
        "await_result" => MessageBody::AwaitResult { run },
        "query" => MessageBody::Query {
            run,
            name: field(fields, "name")?,
            arguments: Payload(field::<Vec<u8>>(fields, "arguments")?.into()),
        },
        other => {
            return Err(PyValueError::new_err(format!(
                "no message is called {other:?}"
            )));
        }
    })
}

fn start(fields: &Bound<'_, PyDict>, run: RunId) -> PyResult<StartRun> {
    Ok(StartRun {
        run,
        namespace: field(fields, "namespace")?,
        workflow_id: field(fields, "workflow_id")?,
        workflow_type: field::<String>(fields, "workflow_type")?.into(),
        task_queue: field(fields, "task_queue")?,
        arguments: Payload(field::<Vec<u8>>(fields, "arguments")?.into()),
        seed: field(fields, "seed")?,
        run_timeout: field::<Option<u64>>(fields, "run_timeout_us")?.map(Duration::from_micros),
        memo: Vec::new(),
        headers: field(fields, "headers")?,
        chain: Chain::default(),
        parent: None,
    })
}

fn field<'py, T: FromPyObjectOwned<'py>>(
    fields: &Bound<'py, PyDict>,
    name: &'static str,
) -> PyResult<T> {
    let value = fields
        .get_item(name)?
        .ok_or_else(|| PyKeyError::new_err(name))?;
    value.extract().map_err(Into::into)
}
