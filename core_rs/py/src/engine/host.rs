//! The runtime over a local store, with a file descriptor that becomes readable when there is
//! something to pump.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perdure_engine::{
    Build, Clock, EngineOptions, Input, ParkReason, Progress, ReplyTo, Runtime, RuntimeHandle,
    ServedQueue, Skipped, TurnOutcome, TurnReport,
};
use perdure_history::{MessageId, RunId, Timestamp, Version};
use perdure_store::{LocalStore, Standby};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::clock::{PySkippingClock, span};
use super::messages;
use super::task::ActivityTask;
use super::transports;
use super::work::{PyTurn, Work};
use crate::errors;
use crate::instance::InstanceCore;
use crate::payload_codec::seal;

/// An engine that owns a store; all methods are called from one thread.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct EngineHost {
    runtime: Mutex<Option<Runtime<LocalStore>>>,
    handle: RuntimeHandle,
    wake: UnixStream,
    path: PathBuf,
    socket: String,
    namespace: String,
}

/// Sixteen bytes as a run.
pub(crate) fn run_id(bytes: &[u8]) -> PyResult<RunId> {
    let bytes = bytes
        .try_into()
        .map_err(|_| PyValueError::new_err("a run is 16 bytes"))?;
    Ok(RunId(bytes))
}

impl EngineHost {
    fn lock(&self) -> MutexGuard<'_, Option<Runtime<LocalStore>>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with<T>(
        &self,
        action: impl FnOnce(&mut Runtime<LocalStore>) -> T,
    ) -> PyResult<T> {
        self.lock()
            .as_mut()
            .map(action)
            .ok_or_else(|| PyRuntimeError::new_err("the engine is closed"))
    }

    pub(super) fn submit(&self, input: Input) -> PyResult<()> {
        self.with(|runtime| runtime.submit(input))
    }
}

#[pymethods]
impl EngineHost {
    /// Opens the store as its owner. `standby_s`: None waits for the owner for ever, 0 refuses.
    #[staticmethod]
    #[pyo3(signature = (path, *, namespace, standby_s, maximum_cached_runs,
        retention_s, seed, language, clock=None, codec=None))]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        namespace: String,
        standby_s: Option<f64>,
        maximum_cached_runs: usize,
        retention_s: Option<u64>,
        seed: u64,
        language: String,
        clock: Option<&Bound<'_, PySkippingClock>>,
        codec: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let clock = clock.map_or_else(Clock::default, |clock| {
            Clock::Skipping(clock.get().0.clone())
        });
        let standby = match standby_s {
            None => Standby::Wait,
            Some(seconds) if seconds > 0.0 => Standby::WaitFor(Duration::from_secs_f64(seconds)),
            Some(_) => Standby::Refuse,
        };
        let options = EngineOptions {
            namespace: namespace.clone(),
            maximum_cached_runs,
            retention: retention_s.map(Duration::from_secs),
            seed,
            version: Some(Version {
                engine: env!("CARGO_PKG_VERSION").to_owned(),
                language,
                deployment: None,
            }),
            seal: seal(codec),
            ..EngineOptions::default()
        };
        let (wake, mut waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let opened = py.detach(|| {
            let store = LocalStore::open_owner(&path, standby)?;
            let socket = store.paths().socket.display().to_string();
            let waker = Mutex::new(waker.try_clone().ok());
            let wake_up = move || {
                let mut waker = waker.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(waker) = waker.as_mut() {
                    // A full pipe has woken the host already.
                    let _ = waker.write(&[1]);
                }
            };
            Ok((Runtime::with_clock(store, options, clock, wake_up)?, socket))
        });
        // Kept open by the clone in the waker; this end is not needed any more.
        let _ = waker.flush();
        let (runtime, socket) = opened.map_err(|error| errors::store_error(py, &error))?;
        let handle = runtime.handle();
        Ok(Self {
            runtime: Mutex::new(Some(runtime)),
            handle,
            wake,
            path,
            socket,
            namespace,
        })
    }

    /// Readable when there is something to pump.
    fn fileno(&self) -> i32 {
        self.wake.as_raw_fd()
    }

    /// Where other processes' live traffic is expected.
    #[getter]
    fn socket_path(&self) -> &str {
        &self.socket
    }

    /// Empties the descriptor, handles what has come in, gives what only the host can do.
    fn pump(&self) -> PyResult<Work> {
        let mut buffer = [0; 256];
        while matches!((&self.wake).read(&mut buffer), Ok(count) if count == buffer.len()) {}
        let work = self.with(Runtime::pump)?;
        Ok(Work::new(work, &self.handle))
    }

    /// Writes the one append that is ready; blocks for a sync, without the interpreter's lock.
    fn commit_inline(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.with(Runtime::commit_inline))
    }

    /// Jumps to the next deadline of a run, or to `until_us` when that is earlier: `moved`, `busy`,
    /// `held` or `nothing`. `waiting_tasks` of the tasks that are out do not hold time.
    fn skip_time(&self, until_us: Option<i64>, waiting_tasks: usize) -> PyResult<&'static str> {
        let until = until_us.map(Timestamp::from_micros);
        let skipped = self.with(|runtime| runtime.skip_time(until, waiting_tasks))?;
        Ok(match skipped {
            Skipped::Moved => "moved",
            Skipped::Busy => "busy",
            Skipped::Held => "held",
            Skipped::Nothing => "nothing",
        })
    }

    /// Moves a clock that skips by what really passed while activities were at work.
    fn pass_time(&self, elapsed_us: i64) -> PyResult<bool> {
        self.with(|runtime| runtime.pass_time(span(elapsed_us)))
    }

    /// Reads what other processes have posted.
    fn read_inbox(&self) -> PyResult<()> {
        self.with(Runtime::read_inbox)
    }

    /// Says which task queues this process serves: name, workflow types, most activities at once,
    /// most that begin in a second, most attempts of one activity at once, and the worker's
    /// version, deployment and build, with the workflow types of which runs stay on it. Of
    /// services, most attempts at once.
    fn set_hosted(&self, queues: Vec<Served>, services: Vec<(String, usize)>) -> PyResult<()> {
        let limits = services.into_iter().map(|(name, most)| (name.into(), most));
        self.submit(Input::ServiceLimits(limits.collect()))?;
        let served = queues.into_iter().map(
            |(task_queue, types, most, sessions, rate, limits, (version, pinned))| ServedQueue {
                task_queue: task_queue.into(),
                workflow_types: types.into_iter().map(Into::into).collect(),
                maximum_concurrent_activities: most,
                maximum_concurrent_sessions: sessions,
                maximum_activities_per_second: rate,
                activity_limits: limits
                    .into_iter()
                    .map(|(name, most)| (name.into(), most))
                    .collect(),
                version: version.map(|(deployment, build_id)| {
                    Arc::new(Build {
                        deployment: deployment.into(),
                        build_id: build_id.into(),
                    })
                }),
                pinned_types: pinned.into_iter().map(Into::into).collect(),
            },
        );
        self.submit(Input::Hosted(served.collect()))
    }

    /// Lends a turn's machine to an instance.
    fn begin_turn(
        &self,
        py: Python<'_>,
        turn: &Bound<'_, PyTurn>,
        instance: &Bound<'_, InstanceCore>,
    ) {
        if let Some(machine) = turn.get().take_machine() {
            instance.get().put_machine(py, machine);
        }
    }

    /// The loop is idle and everything was delivered.
    fn end_turn(
        &self,
        py: Python<'_>,
        turn: &Bound<'_, PyTurn>,
        instance: &Bound<'_, InstanceCore>,
    ) -> PyResult<()> {
        self.report(py, turn, Some(instance), TurnOutcome::Idle)
    }

    /// A bug, a mismatch or an unknown type stopped the turn; the host drops the instance.
    #[pyo3(signature = (turn, instance, *, code, message, traceback, code_hash))]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    fn park(
        &self,
        py: Python<'_>,
        turn: &Bound<'_, PyTurn>,
        instance: Option<&Bound<'_, InstanceCore>>,
        code: String,
        message: String,
        traceback: String,
        code_hash: u64,
    ) -> PyResult<()> {
        let reason = ParkReason {
            code,
            message,
            traceback,
            code_hash,
        };
        self.report(py, turn, instance, TurnOutcome::Parked(reason))
    }

    /// A client's message; `reply_to` names who waits for the answer.
    #[pyo3(signature = (kind, message_id, reply_to, **fields))]
    fn send(
        &self,
        kind: &str,
        message_id: String,
        reply_to: Option<u64>,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let body = messages::body(kind, fields)?;
        let reply_to = reply_to.map(ReplyTo);
        self.with(|runtime| runtime.send(MessageId(message_id), reply_to, body))
    }

    /// A local activity succeeded with this value.
    fn complete(&self, task: &Bound<'_, ActivityTask>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.submit(task.get().completed(value)?)
    }

    /// The outstanding activities of an open run: `(command_n, name, service, attempt, progress,
    /// last_failure)`; None when no such run is open here.
    fn pending_activities(&self, run: &[u8]) -> PyResult<Option<Vec<Pending>>> {
        let run = run_id(run)?;
        let live = self.with(|runtime| runtime.engine().describe(run))?;
        Ok(live.map(|live| live.activities.into_iter().map(pending).collect()))
    }

    /// Starts the workers of services as child processes: `(service, program, arguments,
    /// directory, environment, processes)` each.
    fn start_stdio(&self, commands: Vec<transports::StdioFields>) -> PyResult<()> {
        let transport = transports::stdio(commands, self.handle.sink());
        self.with(|runtime| runtime.add_transport(transport))
    }

    /// Connects to a NATS server, as the way to every service that is not on stdio.
    #[pyo3(signature = (**address))]
    fn connect_nats(&self, py: Python<'_>, address: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let address = transports::address(address)?;
        let sink = self.handle.sink();
        let connected = py.detach(|| transports::connect(address, &self.namespace, sink));
        let transport = connected.map_err(|error| errors::server_error(py, &error))?;
        self.with(|runtime| runtime.add_transport(transport))
    }

    /// Opens the store again after a failed sync. The host has dropped all instances.
    fn reopen(&self, py: Python<'_>) -> PyResult<()> {
        let path = self.path.clone();
        let reopened = py.detach(|| {
            self.with(|runtime| runtime.reopen(|| LocalStore::open_owner(&path, Standby::Wait)))
        })?;
        reopened.map_err(|error| errors::store_error(py, &error))
    }

    /// Takes no new work.
    fn drain(&self) -> PyResult<()> {
        self.submit(Input::Drain)
    }

    /// Ends the engine and the ownership.
    fn close(&self, py: Python<'_>) {
        let runtime = self.lock().take();
        py.detach(|| runtime.map(Runtime::close));
    }
}

/// See `EngineHost.set_hosted`.
type Served = (
    String,
    Vec<String>,
    usize,
    usize,
    Option<f64>,
    Vec<(String, usize)>,
    (Option<(String, String)>, Vec<String>),
);

/// See `EngineHost.pending_activities`.
type Pending = (
    u64,
    Option<String>,
    Option<String>,
    u32,
    String,
    Option<String>,
);

fn pending(activity: perdure_engine::PendingActivity) -> Pending {
    let progress = match activity.progress {
        Progress::Waiting { reason } => format!("waiting: {reason}"),
        Progress::Running { .. } => "running".to_owned(),
        Progress::Backoff { next_attempt_at } => {
            format!("next attempt at {}", next_attempt_at.as_millis())
        }
        Progress::Detached => "completes asynchronously".to_owned(),
        Progress::Reported => "reported".to_owned(),
        _ => "unknown".to_owned(),
    };
    (
        activity.command_n,
        activity.name.map(|name| name.to_string()),
        activity.service.map(|service| service.to_string()),
        activity.attempt,
        progress,
        activity.last_failure.map(|failure| failure.message),
    )
}

impl EngineHost {
    fn report(
        &self,
        py: Python<'_>,
        turn: &Bound<'_, PyTurn>,
        instance: Option<&Bound<'_, InstanceCore>>,
        outcome: TurnOutcome,
    ) -> PyResult<()> {
        let lent = instance.and_then(|instance| instance.get().take_machine(py));
        let machine = lent.or_else(|| turn.get().take_machine());
        let fault = instance.and_then(|instance| instance.get().take_fault(py));
        let machine =
            machine.ok_or_else(|| PyRuntimeError::new_err("this turn was reported already"))?;
        let outcome = match (outcome, fault) {
            // The machine's own refusal says more than the exception made of it.
            (TurnOutcome::Parked(reason), None) => TurnOutcome::Parked(reason),
            (TurnOutcome::Parked(_), Some(fault)) => TurnOutcome::Mismatch(fault),
            (outcome, _) => outcome,
        };
        self.submit(Input::Turn(TurnReport {
            run: turn.get().id(),
            machine,
            outcome,
        }))
    }
}
