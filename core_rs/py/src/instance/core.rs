//! The native half of an instance: delivers activations, takes commands, resolves futures.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use perdure_history::{Command, Payload, Site, Timestamp};
use perdure_machine::{Activation, Machine, MachineError, Submitted};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use super::activity_call::ActivityCall;
use super::activity_plan::{self, ActivityPlan};
use super::continuation::{self, Continuation};
use super::mismatch::nondeterminism;
use super::patches::{self, Patches};
use super::scheduling::Waiting;
use super::{children, site, update};
use crate::convert;
use crate::event_loop::{GilCell, LoopCore, resolve, slice};
use crate::failure::PyFailure;

/// What the native half keeps. `Instance` in Python inherits from it.
#[pyclass(subclass, frozen, module = "perdure._core._native")]
pub(crate) struct InstanceCore {
    machine: GilCell<Option<Box<Machine>>>,
    event_loop: GilCell<Option<Py<LoopCore>>>,
    pub(super) waiting: GilCell<BTreeMap<u64, Waiting>>,
    /// Why the machine refused to go on. Workflow code may swallow the exception, not this.
    fault: GilCell<Option<MachineError>>,
    /// Whether a bug of the workflow stops this turn before the event being delivered is over.
    stopped: GilCell<bool>,
    /// Whether the instance has conditions to look at when the loop is idle.
    conditions: GilCell<bool>,
    /// Whether the Python half wants to see every call.
    observed: GilCell<bool>,
    /// What the run was started with, which goes on to each of its activities.
    pub(super) headers: GilCell<Vec<(String, String)>>,
    pub(super) patches: Patches,
    pub(super) continuation: Continuation,
}

impl InstanceCore {
    /// Gives the machine for a turn.
    pub(crate) fn put_machine(&self, py: Python<'_>, machine: Box<Machine>) {
        self.machine.with(py, |slot| *slot = Some(machine));
    }

    /// Takes the machine back after a turn.
    pub(crate) fn take_machine(&self, py: Python<'_>) -> Option<Box<Machine>> {
        self.machine.with(py, Option::take)
    }

    /// Takes the reason for which the machine refused to go on.
    pub(crate) fn take_fault(&self, py: Python<'_>) -> Option<MachineError> {
        self.fault.with(py, Option::take)
    }

    pub(super) fn with_machine<T>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Machine) -> T,
    ) -> PyResult<T> {
        self.machine
            .with(py, |machine| machine.as_deref_mut().map(action))
            .ok_or_else(|| PyRuntimeError::new_err("this run is not being stepped"))
    }

    pub(super) fn refuse(&self, py: Python<'_>, error: MachineError) -> PyErr {
        let raised = nondeterminism(py, &error);
        self.fault.with(py, |fault| *fault = Some(error));
        raised
    }

    pub(super) fn submit(&self, py: Python<'_>, command: Command) -> PyResult<Submitted> {
        self.with_machine(py, |machine| machine.submit(command))?
            .map_err(|error| self.refuse(py, error))
    }

    /// Whether calls pass through the Python half.
    pub(super) fn is_observed(&self, py: Python<'_>) -> bool {
        self.observed.with(py, |observed| *observed)
    }

    pub(super) fn is_dead(&self, py: Python<'_>) -> bool {
        self.event_loop.with(py, |event_loop| {
            event_loop.as_ref().is_none_or(|each| each.get().is_dead())
        })
    }

    /// The live instance whose code runs on this loop.
    pub(super) fn of<'py>(event_loop: &Bound<'py, LoopCore>) -> Option<Bound<'py, Self>> {
        let py = event_loop.py();
        let source = event_loop.get().source(py)?;
        source.into_bound(py).cast_into::<Self>().ok()
    }

    pub(super) fn new_future<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let event_loop = self.event_loop(py)?;
        LoopCore::create_future(event_loop.bind(py))
    }

    pub(super) fn event_loop(&self, py: Python<'_>) -> PyResult<Py<LoopCore>> {
        self.event_loop
            .with(py, |slot| {
                slot.as_ref().map(|event_loop| event_loop.clone_ref(py))
            })
            .ok_or_else(|| PyRuntimeError::new_err("this run has no loop yet"))
    }

    /// Nothing runs after the command that closes the run: it could only ask for more.
    pub(super) fn halt(&self, py: Python<'_>) {
        self.event_loop.with(py, |event_loop| {
            if let Some(event_loop) = event_loop {
                event_loop.get().halt();
            }
        });
    }

    pub(super) fn site(slf: &Bound<'_, Self>) -> PyResult<Arc<Site>> {
        let py = slf.py();
        site::current(py, || slf.call_method0(pyo3::intern!(py, "_site")))
    }

    /// Gives one activation to the workflow; what it makes ready runs afterwards.
    fn deliver(
        slf: &Bound<'_, Self>,
        event_loop: &Bound<'_, LoopCore>,
        activation: Activation,
    ) -> PyResult<()> {
        let py = slf.py();
        match activation {
            Activation::ResolveActivity { command_n, outcome } => {
                let waiting = slf.get().waiting.with(py, |all| all.remove(&command_n));
                let Some(waiting) = waiting else {
                    return Ok(());
                };
                let future = waiting.future.bind(py);
                match outcome {
                    Ok(payload) => {
                        let shape = waiting.plan.get().result.get();
                        let value = convert::from_payload(py, &payload, shape)?;
                        resolve::set_result(future, value.bind(py))
                    }
                    Err(failure) => {
                        let reference = &waiting.plan.get().reference;
                        let error = slf.call_method1(
                            pyo3::intern!(py, "_exception_of"),
                            (PyFailure(failure), reference),
                        )?;
                        resolve::set_exception(future, &error)
                    }
                }
            }
            Activation::FireTimer { command_n } => {
                event_loop.get().fire_timer(py, command_n);
                Ok(())
            }
            Activation::Start(started) => {
                slf.get().continuation.begin(py, &started);
                let headers = started.headers.clone();
                slf.get().headers.with(py, |known| *known = headers);
                let run = slf.get().with_machine(py, |machine| machine.acting_run())?;
                let started = continuation::start_fields(py, run, &started)?;
                Self::tell(slf, event_loop, "_begin", (started,))
            }
            Activation::Reset {
                run,
                started,
                reseeds,
            } => continuation::reset(slf, event_loop, run, &started, reseeds),
            Activation::RequestCancel { reason } => {
                Self::tell(slf, event_loop, "_request_cancel", (reason,))
            }
            Activation::Signal { name, arguments } => {
                let arguments = PyBytes::new(py, &arguments.0);
                Self::tell(slf, event_loop, "_signal", (name, arguments))
            }
            Activation::Update {
                event_n,
                name,
                arguments,
            } => {
                let arguments = PyBytes::new(py, &arguments.0);
                Self::tell(slf, event_loop, "_update", (event_n, name, arguments))
            }
            of_others => children::deliver(slf, event_loop, of_others),
        }
    }

    /// Calls a method of the Python half as the run's own code.
    pub(super) fn tell<'py, Arguments>(
        slf: &Bound<'py, Self>,
        event_loop: &Bound<'py, LoopCore>,
        method: &str,
        arguments: Arguments,
    ) -> PyResult<()>
    where
        Arguments: IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
    {
        let method = slf.getattr(method)?;
        slice::inside(event_loop, &method, &arguments.into_pyobject(slf.py())?)?;
        Ok(())
    }

    fn drive_until(slf: &Bound<'_, Self>, deadline: Option<Instant>) -> PyResult<bool> {
        let py = slf.py();
        let this = slf.get();
        let event_loop = this.event_loop(py)?;
        let event_loop = event_loop.bind(py);
        let _slice = slice::Slice::enter(event_loop)?;
        loop {
            if !slice::drain(event_loop, deadline)? {
                return Ok(false);
            }
            this.check_fault(py)?;
            if this.stopped.with(py, |stopped| *stopped) {
                return Ok(true);
            }
            if !event_loop.get().is_halted()
                && this.conditions.with(py, |conditions| *conditions)
                && slf
                    .call_method0(pyo3::intern!(py, "_resolve_conditions"))?
                    .is_truthy()?
            {
                continue;
            }
            continuation::watch_length(slf)?;
            let (activation, now, replaying) = this.with_machine(py, |machine| {
                (
                    machine.poll_activation(),
                    machine.now(),
                    machine.is_replaying(),
                )
            })?;
            let activation = activation.map_err(|error| this.refuse(py, error))?;
            event_loop.get().advance(now.as_micros(), replaying);
            let Some(activation) = activation else {
                return Ok(true);
            };
            Self::deliver(slf, event_loop, activation)?;
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
        }
    }

    /// Raises again what the machine refused, whatever workflow code made of the exception.
    fn check_fault(&self, py: Python<'_>) -> PyResult<()> {
        self.fault_error(py).map_or(Ok(()), Err)
    }
}

#[pymethods]
impl InstanceCore {
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            machine: GilCell::new(None),
            event_loop: GilCell::new(None),
            waiting: GilCell::new(BTreeMap::new()),
            fault: GilCell::new(None),
            stopped: GilCell::new(false),
            conditions: GilCell::new(false),
            observed: GilCell::new(false),
            headers: GilCell::new(Vec::new()),
            patches: Patches::default(),
            continuation: Continuation::default(),
        }
    }

    /// Ties the instance to its loop.
    fn set_loop(&self, py: Python<'_>, event_loop: Py<LoopCore>) {
        let previous = self.event_loop.with(py, |slot| slot.replace(event_loop));
        drop(previous);
    }

    /// From now on calls of activities pass through the Python half, which may note them.
    fn observe_calls(&self, py: Python<'_>) {
        self.observed.with(py, |observed| *observed = true);
    }

    /// Whether there are conditions to look at when the loop is idle.
    fn set_conditions(&self, py: Python<'_>, present: bool) {
        self.conditions.with(py, |conditions| *conditions = present);
    }

    /// A bug stops the turn: the event being delivered is not over, so that it can be cut off.
    pub(crate) fn stop(&self, py: Python<'_>) {
        self.stopped.with(py, |stopped| *stopped = true);
        self.halt(py);
    }

    /// Delivers what the machine has, each to idle. False when `budget_us` was used up first.
    ///
    /// Raises what parks the run: a mismatch, or an error of the Python half.
    #[pyo3(signature = (budget_us=None))]
    fn drive(slf: &Bound<'_, Self>, budget_us: Option<u64>) -> PyResult<bool> {
        Self::drive_until(
            slf,
            budget_us.map(|budget| Instant::now() + Duration::from_micros(budget)),
        )
    }

    /// The coroutine of one call: arguments are encoded now, scheduled at the first step.
    fn call_activity<'py>(
        slf: &Bound<'py, Self>,
        reference: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        options: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let plan = match activity_plan::known(reference, options) {
            Some(plan) => plan,
            None => Self::plan(slf, reference, options)?,
        };
        Self::call(slf, &plan, arguments)
    }

    /// The coroutine of one activity call, from its plan.
    pub(super) fn call_plan(
        slf: &Bound<'_, Self>,
        plan: &Bound<'_, ActivityPlan>,
        arguments: &Bound<'_, PyTuple>,
    ) -> PyResult<ActivityCall> {
        let py = slf.py();
        let payload = convert::arguments_to_payload(arguments)?;
        let recording = !slf
            .get()
            .with_machine(py, |machine| machine.is_replaying())?;
        let site = if recording {
            Some(Self::site(slf)?)
        } else {
            None
        };
        Ok(ActivityCall::new(
            slf.clone().unbind(),
            plan.clone().unbind(),
            payload,
            site,
        ))
    }

    /// Whether the run takes the new branch of a patch.
    fn patched(slf: &Bound<'_, Self>, id: &str, deprecated: bool) -> PyResult<bool> {
        patches::ask(slf, id, deprecated)
    }

    /// Starts a durable timer of the run (the loop asks).
    fn start_timer(slf: &Bound<'_, Self>, fire_at_us: i64) -> PyResult<u64> {
        let py = slf.py();
        let this = slf.get();
        if let Some((n, _)) = this.with_machine(py, Machine::replay_timer)? {
            return Ok(n);
        }
        let site = Self::site(slf)?;
        let fire_at = Timestamp::from_micros(fire_at_us);
        match this.submit(py, Command::StartTimer { fire_at, site })? {
            Submitted::Accepted { n } | Submitted::ArgumentsDiffer { n, .. } => Ok(n),
        }
    }

    /// Takes back a durable timer (the loop asks).
    fn cancel_timer(&self, py: Python<'_>, timer_id: u64) -> PyResult<()> {
        self.submit(
            py,
            Command::CancelTimer {
                command_n: timer_id,
            },
        )?;
        Ok(())
    }

    /// Closes the run with what it returned.
    fn complete(slf: &Bound<'_, Self>, result: Vec<u8>) -> PyResult<()> {
        let py = slf.py();
        let command = Command::CompleteRun {
            result: Payload(result.into()),
        };
        let this = slf.get();
        this.halt(py);
        match this.submit(py, command.clone())? {
            Submitted::Accepted { .. } => Ok(()),
            Submitted::ArgumentsDiffer { recorded, .. } => {
                let Command::CompleteRun { result } = &command else {
                    return Ok(());
                };
                let agree = slf.call_method1(
                    pyo3::intern!(py, "_result_agrees"),
                    (PyBytes::new(py, &recorded.0), PyBytes::new(py, &result.0)),
                )?;
                this.judge(py, agree.is_truthy()?, command)
            }
        }
    }

    /// Ends an update with what its handler returned.
    fn complete_update(
        slf: &Bound<'_, Self>,
        event_n: u64,
        result: Vec<u8>,
        hint: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        update::complete(slf, event_n, result, hint)
    }

    /// Ends an update with a failure.
    fn fail_update(&self, py: Python<'_>, event_n: u64, failure: PyFailure) -> PyResult<()> {
        let failure = failure.0;
        self.submit(py, Command::FailUpdate { event_n, failure })?;
        Ok(())
    }

    /// Refuses the update that is being delivered live: it leaves no trace.
    fn reject_update(&self, py: Python<'_>, failure: PyFailure) -> PyResult<()> {
        let rejected = self.with_machine(py, |machine| machine.reject_update(failure.0))?;
        rejected.map_err(|error| self.refuse(py, error))
    }

    /// Closes the run with a failure.
    fn fail(&self, py: Python<'_>, failure: PyFailure) -> PyResult<()> {
        self.halt(py);
        self.submit(
            py,
            Command::FailRun {
                failure: failure.0,
                next: None,
            },
        )?;
        Ok(())
    }

    /// Closes the run as cancelled.
    #[pyo3(signature = (details=None))]
    fn end_cancelled(&self, py: Python<'_>, details: Option<Vec<u8>>) -> PyResult<()> {
        let details = details.map(|details| Payload(details.into()));
        self.halt(py);
        self.submit(py, Command::CancelRun { details })?;
        Ok(())
    }

    /// Closes the run, which goes on in another; what the options do not give is as in this run.
    fn close_as_new(
        slf: &Bound<'_, Self>,
        arguments: Vec<u8>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        continuation::close(slf, arguments, options)
    }

    /// Why the attempt before this run failed; None in a first attempt.
    fn failure_before(&self, py: Python<'_>) -> Option<PyFailure> {
        self.continuation.last_failure(py)
    }

    /// The reference of an activity whose call still waits; None when its code took it back.
    fn reference_of(&self, py: Python<'_>, number: u64) -> Option<Py<PyAny>> {
        self.waiting.with(py, |all| {
            all.get(&number)
                .map(|waiting| waiting.plan.get().reference.clone_ref(py))
        })
    }

    /// The number of the last record that was delivered or asked for, the bytes of the values up
    /// to there, and whether that suggests to continue as new: the same again on replay.
    fn history_size(&self, py: Python<'_>) -> PyResult<(u64, usize, bool)> {
        self.with_machine(py, |machine| {
            let suggests = machine.suggests_continue_as_new();
            (machine.position(), machine.value_bytes(), suggests)
        })
    }

    /// Whether recorded history is being delivered.
    fn is_replaying(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.event_loop(py)?.get().is_replaying())
    }

    /// The recorded instant of the event delivered last, microseconds since the Unix epoch.
    #[getter]
    fn now_us(&self, py: Python<'_>) -> PyResult<i64> {
        Ok(self.event_loop(py)?.get().now_us_value())
    }

    /// What the machine refused, as its exception, if it did.
    #[getter]
    fn fault_error(&self, py: Python<'_>) -> Option<PyErr> {
        self.fault.with(py, |fault| {
            fault.as_ref().map(|fault| nondeterminism(py, fault))
        })
    }

    /// Lets go of every object it holds.
    fn release(&self, py: Python<'_>) {
        let event_loop = self.event_loop.with(py, Option::take);
        let waiting = self.waiting.with(py, std::mem::take);
        drop((event_loop, waiting));
    }
}
