//! How a run begins, as Python reads it, and how the run that follows it differs.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{Command, Payload, RunId, RunStarted, Successor};
use perdure_machine::{Machine, Submitted};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::InstanceCore;
use super::children;
use crate::event_loop::{GilCell, LoopCore};
use crate::failure::PyFailure;
use crate::search;

/// What the next run is made from.
pub(super) struct Continuation {
    /// Whether it was said that the history is long.
    length_told: GilCell<bool>,
    /// How the run began; known once it has.
    started: GilCell<Option<Arc<RunStarted>>>,
}

impl Default for Continuation {
    fn default() -> Self {
        Self {
            length_told: GilCell::new(false),
            started: GilCell::new(None),
        }
    }
}

impl Continuation {
    /// The run begins.
    pub(super) fn begin(&self, py: Python<'_>, started: &Arc<RunStarted>) {
        self.started
            .with(py, |slot| *slot = Some(Arc::clone(started)));
    }

    /// Why the attempt before this run failed.
    pub(super) fn last_failure(&self, py: Python<'_>) -> Option<PyFailure> {
        let started = self.started.with(py, |started| started.clone())?;
        started.chain.last_failure.clone().map(PyFailure)
    }
}

/// Says, once, that the history has become long.
pub(super) fn watch_length(slf: &Bound<'_, InstanceCore>) -> PyResult<()> {
    let py = slf.py();
    let this = slf.get();
    let watched = |machine: &mut Machine| {
        let is_long = machine.suggests_continue_as_new();
        let size = (machine.position(), machine.value_bytes());
        (is_long.then_some(size), machine.is_replaying())
    };
    let (Some((length, bytes)), replaying) = this.with_machine(py, watched)? else {
        return Ok(());
    };
    let told = &this.continuation.length_told;
    if !told.with(py, |told| std::mem::replace(told, true)) && !replaying {
        slf.call_method1(pyo3::intern!(py, "_warn_of_length"), (length, bytes))?;
    }
    Ok(())
}

/// Closes the run, which goes on in another; what the options do not give is as in this run.
pub(super) fn close(
    slf: &Bound<'_, InstanceCore>,
    arguments: Vec<u8>,
    options: &Bound<'_, PyDict>,
) -> PyResult<()> {
    let py = slf.py();
    let this = slf.get();
    let started = this
        .continuation
        .started
        .with(py, |started| started.clone());
    let started = started.ok_or_else(|| PyRuntimeError::new_err("the run has not begun"))?;
    let mut successor = this.with_machine(py, |machine| {
        Successor::of(machine.run(), &started, machine.now())
    })?;
    let arguments = Payload(arguments.into());
    apply(&mut successor.start, arguments.clone(), options)?;
    let workflow_type = successor.start.workflow_type.to_string();
    let command = Command::ContinueAsNew(Arc::new(successor));
    this.halt(py);
    match this.submit(py, command.clone())? {
        Submitted::Accepted { .. } => Ok(()),
        Submitted::ArgumentsDiffer { recorded, .. } => {
            let recorded = PyBytes::new(py, &recorded.0);
            let asked = PyBytes::new(py, &arguments.0);
            let agree = slf.call_method1(
                pyo3::intern!(py, "_continuation_agrees"),
                (workflow_type, recorded, asked),
            )?;
            this.judge(py, agree.is_truthy()?, command)
        }
    }
}

/// All before was copied from another run: from here on the instance is this one.
pub(super) fn reset(
    slf: &Bound<'_, InstanceCore>,
    event_loop: &Bound<'_, LoopCore>,
    run: RunId,
    started: &Arc<RunStarted>,
    reseeds: bool,
) -> PyResult<()> {
    slf.get().continuation.begin(slf.py(), started);
    let seed = reseeds.then(|| started.seed.to_string());
    let fields = (run.to_string(), started.workflow_id.clone(), seed);
    InstanceCore::tell(slf, event_loop, "_reset", fields)
}

/// What the Python half is told of the start.
pub(super) fn start_fields<'py>(
    py: Python<'py>,
    run: RunId,
    started: &RunStarted,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item("run_id", run.to_string())?;
    fields.set_item("namespace", &started.namespace)?;
    fields.set_item("workflow_id", &started.workflow_id)?;
    fields.set_item("workflow_type", &*started.workflow_type)?;
    fields.set_item("task_queue", &started.task_queue)?;
    fields.set_item("arguments", PyBytes::new(py, &started.arguments.0))?;
    fields.set_item("seed", started.seed)?;
    fields.set_item(
        "run_timeout_us",
        started.run_timeout.map(|span| span.as_micros()),
    )?;
    fields.set_item("headers", started.headers.clone())?;
    fields.set_item("parent", children::parent_fields(started))?;
    let signal = started.signal.as_ref();
    let signal = signal.map(|signal| (&*signal.name, PyBytes::new(py, &signal.arguments.0)));
    fields.set_item("signal", signal)?;
    let continued = started.chain.continued_run_id.map(|run| run.to_string());
    fields.set_item("continued_run_id", continued)?;
    fields.set_item("attempt", started.chain.attempt)?;
    fields.set_item("memo", search::memo_fields(py, &started.memo)?)?;
    let attributes = search::attribute_fields(py, &started.search_attributes)?;
    fields.set_item("search_attributes", attributes)?;
    Ok(fields)
}

/// Changes the start of the next run by what the options give.
fn apply(start: &mut RunStarted, arguments: Payload, options: &Bound<'_, PyDict>) -> PyResult<()> {
    start.arguments = arguments;
    start.signal = None;
    if let Some(workflow_type) = options.get_item("workflow_type")? {
        start.workflow_type = workflow_type.extract::<String>()?.into();
    }
    if let Some(task_queue) = options.get_item("task_queue")? {
        start.task_queue = task_queue.extract()?;
    }
    if let Some(timeout) = options.get_item("run_timeout_us")? {
        start.run_timeout = Some(Duration::from_micros(timeout.extract()?));
    }
    if let Some(memo) = options.get_item("memo")? {
        let pairs: Vec<(String, Vec<u8>)> = memo.extract()?;
        let pairs = pairs.into_iter();
        start.memo = pairs
            .map(|(key, value)| (key, Payload(value.into())))
            .collect();
    }
    if let Some(attributes) = options.get_item("search_attributes")? {
        start.search_attributes = search::attributes(&attributes.cast_into::<PyDict>()?)?;
    }
    if let Some(headers) = options.get_item("headers")? {
        start.headers = headers.extract()?;
    }
    Ok(())
}
