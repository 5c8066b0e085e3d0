//! A client's message from keyword arguments.

use std::time::Duration;

use perdure_engine::{
    ActivityWord, MessageBody, ResetRun, StartRun, StartUpdate, TaskOutcome, UpdateStage,
};
use perdure_history::{
    Chain, Fork, IdConflictPolicy, IdPolicy, IdReusePolicy, MessageId, Payload, RetryPolicy, RunId,
    StartSignal, WorkerVersion,
};
use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::host::run_id;
use super::task::read_token;
use crate::failure::PyFailure;
use crate::fields::field;
use crate::instance::{RetryFields, retry_policy};
use crate::priority;
use crate::search;

/// The body of a message of a kind: `start`, `signal`, `update`, `await_update`, `cancel`,
/// `terminate`, `reset`, `unpark`, `pause`, `unpause`, `await_result`, `query`, or
/// `complete_activity` and its like.
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
        "update" => MessageBody::Update {
            run,
            name: field(fields, "name")?,
            arguments: Payload(field::<Vec<u8>>(fields, "arguments")?.into()),
            stage: stage(&field::<String>(fields, "stage")?)?,
        },
        "await_update" => MessageBody::AwaitUpdate {
            run,
            update: MessageId(field(fields, "update")?),
        },
        "cancel" => MessageBody::Cancel {
            run,
            reason: field(fields, "reason")?,
        },
        "terminate" => MessageBody::Terminate {
            run,
            reason: field(fields, "reason")?,
        },
        "reset" => MessageBody::Reset(Box::new(reset(fields, run)?)),
        "unpark" => MessageBody::Unpark { run },
        "pause" => MessageBody::Pause {
            run,
            reason: field(fields, "reason")?,
        },
        "unpause" => MessageBody::Unpause { run },
        "update_options" => MessageBody::UpdateOptions {
            run,
            pinned_to: field::<Option<String>>(fields, "pinned_to")?
                .map(|name| pinned_version(&name))
                .transpose()?,
        },
        "await_result" => MessageBody::AwaitResult { run },
        "query" => MessageBody::Query {
            run,
            name: field(fields, "name")?,
            arguments: Payload(field::<Vec<u8>>(fields, "arguments")?.into()),
        },
        "complete_activity" | "fail_activity" | "cancel_activity" | "heartbeat_activity" => {
            MessageBody::Activity(Box::new(activity_word(kind, fields, run)?))
        }
        other => {
            return Err(PyValueError::new_err(format!(
                "no message is called {other:?}"
            )));
        }
    })
}

fn activity_word(kind: &str, fields: &Bound<'_, PyDict>, run: RunId) -> PyResult<ActivityWord> {
    let payload = |name| -> PyResult<Option<Payload>> {
        let bytes = field::<Option<Vec<u8>>>(fields, name)?;
        Ok(bytes.map(|bytes| Payload(bytes.into())))
    };
    let outcome = match kind {
        "complete_activity" => TaskOutcome::Completed {
            result: payload("result")?.unwrap_or_default(),
        },
        "fail_activity" => TaskOutcome::Failed {
            failure: field::<PyFailure>(fields, "failure")?.0,
        },
        "cancel_activity" => TaskOutcome::Cancelled {
            details: payload("details")?,
        },
        _ => TaskOutcome::Heartbeat {
            details: payload("details")?,
        },
    };
    let (command_n, token) = match field::<Option<Vec<u8>>>(fields, "token")? {
        Some(token) => {
            let (command_n, attempt, nonce) = read_token(&token, run)
                .ok_or_else(|| PyValueError::new_err("this is no task token"))?;
            (command_n, Some((attempt, nonce)))
        }
        None => (field(fields, "number")?, None),
    };
    Ok(ActivityWord {
        run,
        command_n,
        token,
        outcome,
    })
}

fn stage(name: &str) -> PyResult<UpdateStage> {
    match name {
        "accepted" => Ok(UpdateStage::Accepted),
        "completed" => Ok(UpdateStage::Completed),
        _ => Err(PyValueError::new_err(format!(
            "no stage of an update is called {name:?}: \"accepted\" or \"completed\""
        ))),
    }
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
        memo: search::memo(&search::dictionary(fields, "memo")?)?,
        headers: field(fields, "headers")?,
        search_attributes: search::attributes(&search::dictionary(fields, "search_attributes")?)?,
        priority: priority::priority_of(fields)?,
        parent: None,
        chain: Chain {
            retry_policy: retry(fields)?,
            execution_timeout: optional(fields, "execution_timeout_us")?.map(Duration::from_micros),
            start_delay: optional(fields, "start_delay_us")?.map(Duration::from_micros),
            ..Chain::default()
        },
        signal: signal(fields)?,
        id_policy: id_policy(fields)?,
        update: update(fields)?,
    })
}

/// What the start does about other runs of its workflow id; older clients do not say.
fn id_policy(fields: &Bound<'_, PyDict>) -> PyResult<IdPolicy> {
    let reuse: Option<String> = optional(fields, "id_reuse_policy")?;
    let conflict: Option<String> = optional(fields, "id_conflict_policy")?;
    let unknown = |name: &str| {
        Err(PyValueError::new_err(format!(
            "no policy is called {name:?}"
        )))
    };
    Ok(IdPolicy {
        reuse: match reuse.as_deref() {
            None | Some("allow_duplicate") => IdReusePolicy::AllowDuplicate,
            Some("allow_duplicate_failed_only") => IdReusePolicy::AllowDuplicateFailedOnly,
            Some("reject_duplicate") => IdReusePolicy::RejectDuplicate,
            Some(other) => return unknown(other),
        },
        conflict: match conflict.as_deref() {
            None | Some("fail") => IdConflictPolicy::Fail,
            Some("use_existing") => IdConflictPolicy::UseExisting,
            Some("terminate_existing") => IdConflictPolicy::TerminateExisting,
            Some(other) => return unknown(other),
        },
    })
}

fn reset(fields: &Bound<'_, PyDict>, from: RunId) -> PyResult<ResetRun> {
    let run = run_id(&field::<Vec<u8>>(fields, "new_run")?)?;
    let commands = field::<Vec<u64>>(fields, "commands")?.into_iter();
    let results = commands.zip(field::<Vec<Vec<u8>>>(fields, "results")?);
    let workflow_id = field::<Option<String>>(fields, "workflow_id")?;
    let seed = field(fields, "seed")?;
    Ok(ResetRun {
        from,
        run,
        event_n: field(fields, "event_n")?,
        reason: field(fields, "reason")?,
        results: results
            .map(|(command_n, result)| (command_n, Payload(result.into())))
            .collect(),
        keeps_messages: field(fields, "keeps_messages")?,
        fork: workflow_id.map(|workflow_id| Fork {
            workflow_id,
            seed,
            origin: run,
        }),
    })
}

/// The retry policy: a tuple, or the list that a socket makes of one.
fn retry(fields: &Bound<'_, PyDict>) -> PyResult<Option<RetryPolicy>> {
    let Some(given) = fields.get_item("retry")?.filter(|given| !given.is_none()) else {
        return Ok(None);
    };
    let given = fields.py().get_type::<PyTuple>().call1((given,))?;
    Ok(Some(retry_policy(given.extract::<RetryFields>()?)))
}

/// A field that older clients do not send.
fn optional<'py, T: FromPyObjectOwned<'py>>(
    fields: &Bound<'py, PyDict>,
    name: &'static str,
) -> PyResult<Option<T>> {
    match fields.get_item(name)? {
        Some(value) => value.extract().map_err(Into::into),
        None => Ok(None),
    }
}

/// The update that comes with a start; absent when none does.
fn update(fields: &Bound<'_, PyDict>) -> PyResult<Option<StartUpdate>> {
    let Some(id) = fields.get_item("update_id")? else {
        return Ok(None);
    };
    Ok(Some(StartUpdate {
        id: MessageId(id.extract()?),
        name: field(fields, "update_name")?,
        arguments: Payload(field::<Vec<u8>>(fields, "update_arguments")?.into()),
    }))
}

/// The signal that comes with a start; absent when none does.
fn signal(fields: &Bound<'_, PyDict>) -> PyResult<Option<StartSignal>> {
    let Some(name) = fields.get_item("signal_name")? else {
        return Ok(None);
    };
    Ok(Some(StartSignal {
        name: name.extract()?,
        arguments: Payload(field::<Vec<u8>>(fields, "signal_arguments")?.into()),
    }))
}

/// The version that a text names as `deployment:build`.
fn pinned_version(name: &str) -> PyResult<WorkerVersion> {
    let (deployment, build_id) = name
        .split_once(':')
        .ok_or_else(|| PyValueError::new_err(format!("{name:?} is no version")))?;
    Ok(WorkerVersion {
        deployment: deployment.to_owned(),
        build_id: build_id.to_owned(),
        pinned: true,
    })
}
