//! Commands about other runs: children, and messages to runs that are none.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{
    CancelExternal, CancellationType, Command, ExternalRun, ParentClosePolicy, Payload, RunId,
    RunStarted, SignalExternal, StartChild,
};
use perdure_machine::{Activation, Submitted};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::core::InstanceCore;
use super::site::CallSite;
use crate::event_loop::LoopCore;
use crate::failure::PyFailure;
use crate::fields::field;
use crate::payload_codec::refuse_encoded;
use crate::priority;
use crate::search;

/// Starts a child; gives the command's number, the child's run and its workflow id.
///
/// `reference` has the `parameter_types` by which changed arguments are compared.
#[pyfunction]
fn start_child(
    instance: &Bound<'_, InstanceCore>,
    site: &Bound<'_, CallSite>,
    reference: &Bound<'_, PyAny>,
    fields: &Bound<'_, PyDict>,
) -> PyResult<(u64, String, String)> {
    let py = instance.py();
    let this = instance.get();
    let (n, run, seed) = this.with_machine(py, |machine| machine.next_child())?;
    let parent = this.with_machine(py, |machine| machine.acting_run())?;
    let arguments = Payload(field::<Vec<u8>>(fields, "arguments")?.into());
    let workflow_id = field::<Option<String>>(fields, "workflow_id")?;
    let asked = StartChild {
        run,
        workflow_id: workflow_id.unwrap_or_else(|| format!("{parent}.{n}")),
        workflow_type: field::<String>(fields, "workflow_type")?.into(),
        task_queue: field(fields, "task_queue")?,
        digest: arguments.digest(),
        arguments,
        seed,
        site: Arc::clone(&site.get().0),
        run_timeout: field::<Option<u64>>(fields, "run_timeout_us")?.map(Duration::from_micros),
        parent_close_policy: policy(&field::<String>(fields, "parent_close_policy")?)?,
        cancellation_type: cancellation(&field::<String>(fields, "cancellation_type")?)?,
        headers: field(fields, "headers")?,
        priority: priority::priority_of(fields)?,
    };
    let arguments = asked.arguments.clone();
    let n = submit(
        instance,
        Command::StartChild(Arc::new(asked)),
        &arguments,
        reference,
    )?;
    let command = this.with_machine(py, |machine| machine.command(n))?;
    let Some(Command::StartChild(child)) = command else {
        return Err(PyRuntimeError::new_err(
            "the command that starts a child is lost",
        ));
    };
    Ok((n, child.run.to_string(), child.workflow_id.clone()))
}

/// Asks a child to cancel itself.
#[pyfunction]
fn cancel_child(instance: &Bound<'_, InstanceCore>, command_n: u64) -> PyResult<()> {
    let command = Command::CancelChild { command_n };
    instance.get().submit(instance.py(), command)?;
    Ok(())
}

/// Changes what the run is found by, or what is said of it to people.
#[pyfunction]
#[pyo3(signature = (instance, *, attributes = None, memo = None))]
fn set_visibility(
    instance: &Bound<'_, InstanceCore>,
    attributes: Option<&Bound<'_, PyDict>>,
    memo: Option<&Bound<'_, PyDict>>,
) -> PyResult<()> {
    let mut commands = search::commands(attributes, memo)?.into_iter();
    let py = instance.py();
    commands.try_for_each(|command| match instance.get().submit(py, command)? {
        Submitted::Accepted { .. } => Ok(()),
        // Only of a memo, and only when a recorded value is encoded.
        Submitted::ArgumentsDiffer { recorded, .. } => refuse_encoded(py, &recorded),
    })
}

/// Signals another run; gives the command's number.
#[pyfunction]
fn signal_external(
    instance: &Bound<'_, InstanceCore>,
    site: &Bound<'_, CallSite>,
    reference: &Bound<'_, PyAny>,
    fields: &Bound<'_, PyDict>,
) -> PyResult<u64> {
    let arguments = Payload(field::<Vec<u8>>(fields, "arguments")?.into());
    let command = Command::SignalExternal(Arc::new(SignalExternal {
        target: target(fields)?,
        name: field(fields, "name")?,
        arguments: arguments.clone(),
        site: Arc::clone(&site.get().0),
    }));
    submit(instance, command, &arguments, reference)
}

/// Asks another run to cancel itself; gives the command's number.
#[pyfunction]
fn cancel_external(
    instance: &Bound<'_, InstanceCore>,
    site: &Bound<'_, CallSite>,
    fields: &Bound<'_, PyDict>,
) -> PyResult<u64> {
    let command = Command::CancelExternal(Arc::new(CancelExternal {
        target: target(fields)?,
        reason: field(fields, "reason")?,
        site: Arc::clone(&site.get().0),
    }));
    match instance.get().submit(instance.py(), command)? {
        Submitted::Accepted { n } | Submitted::ArgumentsDiffer { n, .. } => Ok(n),
    }
}

/// Submits a command with arguments, which may be other bytes of the same meaning.
fn submit(
    instance: &Bound<'_, InstanceCore>,
    command: Command,
    arguments: &Payload,
    reference: &Bound<'_, PyAny>,
) -> PyResult<u64> {
    let py = instance.py();
    match instance.get().submit(py, command.clone())? {
        Submitted::Accepted { n } => Ok(n),
        Submitted::ArgumentsDiffer { n, recorded } => {
            let agree = instance.call_method1(
                pyo3::intern!(py, "_arguments_agree"),
                (
                    reference,
                    PyBytes::new(py, &recorded.0),
                    PyBytes::new(py, &arguments.0),
                ),
            )?;
            instance.get().judge(py, agree.is_truthy()?, command)?;
            Ok(n)
        }
    }
}

/// Tells the Python half what came of a child, or of a message to another run.
pub(super) fn deliver(
    instance: &Bound<'_, InstanceCore>,
    event_loop: &Bound<'_, LoopCore>,
    activation: Activation,
) -> PyResult<()> {
    let py = instance.py();
    match activation {
        Activation::ChildStarted { command_n } => {
            InstanceCore::tell(instance, event_loop, "_child_started", (command_n,))
        }
        Activation::ResolveChild { command_n, outcome } => {
            let (result, failure) = match outcome {
                Ok(payload) => (Some(PyBytes::new(py, &payload.0)), None),
                Err(failure) => (None, Some(PyFailure(failure))),
            };
            let ended = (command_n, result, failure);
            InstanceCore::tell(instance, event_loop, "_child_ended", ended)
        }
        Activation::ResolveExternal { command_n, outcome } => {
            let answered = (command_n, outcome.err().map(PyFailure));
            InstanceCore::tell(instance, event_loop, "_external_answered", answered)
        }
        _ => Err(PyRuntimeError::new_err("an activation of a newer version")),
    }
}

/// `(workflow_id, run_id)` of a run's parent.
pub(super) fn parent_fields(started: &RunStarted) -> Option<(String, String)> {
    let parent = started.parent.as_ref()?;
    Some((parent.workflow_id.clone(), parent.run.to_string()))
}

fn target(fields: &Bound<'_, PyDict>) -> PyResult<ExternalRun> {
    let run = field::<Option<String>>(fields, "run_id")?;
    let run = run.map(|text| {
        let unknown = || PyValueError::new_err(format!("{text:?} is no run id"));
        RunId::parse(&text).ok_or_else(unknown)
    });
    Ok(ExternalRun {
        workflow_id: field(fields, "workflow_id")?,
        run: run.transpose()?,
        child_n: field(fields, "child_n")?,
    })
}

fn policy(name: &str) -> PyResult<ParentClosePolicy> {
    match name {
        "terminate" => Ok(ParentClosePolicy::Terminate),
        "request_cancel" => Ok(ParentClosePolicy::RequestCancel),
        "abandon" => Ok(ParentClosePolicy::Abandon),
        _ => Err(PyValueError::new_err(format!(
            "{name:?} is no parent close policy"
        ))),
    }
}

fn cancellation(name: &str) -> PyResult<CancellationType> {
    match name {
        "try" => Ok(CancellationType::Try),
        "wait_completed" => Ok(CancellationType::WaitCompleted),
        "abandon" => Ok(CancellationType::Abandon),
        _ => Err(PyValueError::new_err(format!(
            "{name:?} is no cancellation type"
        ))),
    }
}

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(start_child, module)?)?;
    module.add_function(wrap_pyfunction!(cancel_child, module)?)?;
    module.add_function(wrap_pyfunction!(set_visibility, module)?)?;
    module.add_function(wrap_pyfunction!(signal_external, module)?)?;
    module.add_function(wrap_pyfunction!(cancel_external, module)?)
}
