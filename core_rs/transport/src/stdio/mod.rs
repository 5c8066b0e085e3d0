//! Workers on this host, as child processes that talk over their stdin and stdout.

mod child;
pub(crate) mod framing;
mod pipe;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use perdure_engine::{Input, Lost, ReportSink, Task, TaskOutcome, TaskReport, Transport};
use perdure_history::TaskId;

use crate::frame::{self, Encoding, Hello};
use crate::service::Service;
use pipe::Pipe;

/// How a service's workers are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StdioCommand {
    /// The service that the program hosts.
    pub service: String,
    /// The program.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its working directory; the engine's own by default.
    pub directory: Option<PathBuf>,
    /// Environment variables beside the engine's own.
    pub environment: Vec<(String, String)>,
    /// How many processes; 1 by default.
    pub processes: usize,
}

/// Limits and waits, each with its default.
#[derive(Clone, Copy, Debug)]
pub struct StdioOptions {
    /// How long a started worker may take to say hello; 30 s.
    pub hello_timeout: Duration,
    /// The waits before a worker that died is started again: from 0.1 s to 10 s.
    pub restart_backoff: (Duration, Duration),
    /// How often workers say that they live; 5 s.
    pub liveness_interval: Duration,
}

impl Default for StdioOptions {
    fn default() -> Self {
        Self {
            hello_timeout: Duration::from_secs(30),
            restart_backoff: (Duration::from_millis(100), Duration::from_secs(10)),
            liveness_interval: Duration::from_secs(5),
        }
    }
}

/// The stdio transport: starts workers, starts them again when they die.
#[derive(Debug)]
pub struct StdioTransport {
    shared: Arc<Shared>,
}

/// What the host's thread and the workers' threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) sink: ReportSink,
    pub(crate) options: StdioOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    services: BTreeMap<String, HostedService>,
    draining: bool,
}

#[derive(Debug, Default)]
struct HostedService {
    known: Service,
    connections: BTreeMap<String, Connection>,
}

/// One live worker.
#[derive(Debug)]
struct Connection {
    outgoing: Arc<Pipe>,
    encoding: Encoding,
    concurrency: usize,
    held: HashMap<TaskId, u64>,
}

impl StdioTransport {
    /// Starts the workers.
    #[must_use]
    pub fn start(commands: Vec<StdioCommand>, options: StdioOptions, sink: ReportSink) -> Self {
        let shared = Arc::new(Shared {
            sink,
            options,
            state: Mutex::default(),
        });
        for command in &commands {
            let mut state = shared.lock();
            let hosted = state.services.entry(command.service.clone()).or_default();
            // Tasks wait in line until the first worker is up, and leave as soon as it is.
            shared.report(&command.service, hosted);
        }
        for command in commands {
            for _ in 0..command.processes.max(1) {
                child::supervise(Arc::clone(&shared), command.clone());
            }
        }
        Self { shared }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is a table of values: a thread that died in the middle left it readable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.lock().draining
    }

    /// A worker said hello, and can take tasks.
    fn connected(&self, service: &str, hello: Hello, encoding: Encoding, outgoing: Arc<Pipe>) {
        let mut state = self.lock();
        let Some(hosted) = state.services.get_mut(service) else {
            return;
        };
        let connection = Connection {
            outgoing,
            encoding,
            concurrency: hello.concurrency.max(1),
            held: HashMap::new(),
        };
        hosted
            .connections
            .insert(hello.instance.clone(), connection);
        hosted.known.hello(hello);
        self.report(service, hosted);
    }

    /// A worker is gone: every task that it held is lost.
    pub(crate) fn disconnected(&self, service: &str, instance: &str) {
        let mut state = self.lock();
        let Some(hosted) = state.services.get_mut(service) else {
            return;
        };
        hosted.known.instances.remove(instance);
        let connection = hosted.connections.remove(instance);
        self.report(service, hosted);
        drop(state);
        for (id, nonce) in connection.into_iter().flat_map(|gone| gone.held) {
            self.lost(id, nonce);
        }
    }

    fn lost(&self, id: TaskId, nonce: u64) {
        let outcome = TaskOutcome::Lost(Lost::Disconnected);
        self.sink
            .send(Input::Task(TaskReport { id, nonce, outcome }));
    }

    /// A worker takes no more tasks.
    pub(crate) fn draining(&self, service: &str, instance: &str) {
        let mut state = self.lock();
        let Some(hosted) = state.services.get_mut(service) else {
            return;
        };
        if let Some(known) = hosted.known.instances.get_mut(instance) {
            known.draining = true;
        }
        self.report(service, hosted);
    }

    /// A worker's word on a task; a final one frees its slot.
    pub(crate) fn reported(&self, service: &str, instance: &str, report: TaskReport) {
        let going_on = matches!(
            report.outcome,
            TaskOutcome::Accepted | TaskOutcome::Heartbeat { .. }
        );
        if !going_on {
            let mut state = self.lock();
            let hosted = state.services.get_mut(service);
            if let Some(connection) = hosted.and_then(|each| each.connections.get_mut(instance)) {
                // A word under another nonce frees nothing: the engine drops it.
                if connection.held.get(&report.id) == Some(&report.nonce) {
                    connection.held.remove(&report.id);
                }
            }
        }
        self.sink.send(Input::Task(report));
    }

    fn report(&self, service: &str, hosted: &HostedService) {
        let name: Arc<str> = service.into();
        self.sink.send(Input::Service(hosted.known.report(&name)));
    }

    fn refuse(&self, task: &Task, reason: String) {
        let outcome = TaskOutcome::NotStarted {
            reason,
            retry_after: None,
        };
        self.sink.send(Input::Task(TaskReport {
            id: task.id,
            nonce: task.nonce,
            outcome,
        }));
    }
}

/// The bytes of a document for one worker; the profile cannot fail on what the engine encoded.
fn framed(document: &[u8], encoding: Encoding) -> Option<Vec<u8>> {
    framing::encode(document, encoding)
}

impl Transport for StdioTransport {
    fn serves(&self, service: &str) -> bool {
        self.shared.lock().services.contains_key(service)
    }

    fn dispatch(&self, task: Task) {
        let perdure_engine::Route::Service(service) = task.route.clone() else {
            return;
        };
        let mut state = self.shared.lock();
        let hosted = state.services.get_mut(&*service);
        let open = hosted.into_iter().flat_map(|hosted| {
            let known = &hosted.known;
            hosted
                .connections
                .iter_mut()
                .filter(|(instance, connection)| {
                    connection.held.len() < connection.concurrency
                        && known
                            .instances
                            .get(*instance)
                            .is_some_and(|known| !known.draining)
                })
        });
        let Some((_, connection)) = open.min_by_key(|(_, connection)| connection.held.len()) else {
            drop(state);
            let reason = format!("no worker of {service} on this host has a free slot");
            self.shared.refuse(&task, reason);
            return;
        };
        let Some(bytes) = framed(&frame::task(&task), connection.encoding) else {
            drop(state);
            self.shared.sink.send(Input::Task(TaskReport {
                id: task.id,
                nonce: task.nonce,
                outcome: crate::failure::too_large(framing::MAXIMUM_DOCUMENT_BYTES, ""),
            }));
            return;
        };
        connection.held.insert(task.id, task.nonce);
        if !connection.outgoing.send(&bytes) {
            // Its threads are ending; they report everything that it holds as lost.
            connection.held.remove(&task.id);
            drop(state);
            self.shared
                .refuse(&task, format!("the worker of {service} is gone"));
        }
    }

    fn cancel(&self, service: &str, task: TaskId, reason: &str) {
        let state = self.shared.lock();
        let Some(hosted) = state.services.get(service) else {
            return;
        };
        let holds = |connection: &&Connection| connection.held.contains_key(&task);
        if let Some(connection) = hosted.connections.values().find(holds)
            && let Some(bytes) = framed(&frame::cancel(task, reason), connection.encoding)
        {
            // A worker that is gone needs no cancel.
            let _ = connection.outgoing.send(&bytes);
        }
    }

    fn take_inventory(&self, service: &str, awaited: &[(TaskId, u64)]) {
        let state = self.shared.lock();
        let Some(hosted) = state.services.get(service) else {
            return;
        };
        self.shared.report(service, hosted);
        // Children do not outlive the engine that started them: what none of these holds is lost.
        for (id, nonce) in awaited.iter().copied() {
            let holds = |connection: &Connection| connection.held.get(&id) == Some(&nonce);
            if !hosted.connections.values().any(holds) {
                self.shared.lost(id, nonce);
            }
        }
    }

    fn drain(&self) {
        let mut state = self.shared.lock();
        state.draining = true;
        for hosted in state.services.values() {
            for connection in hosted.connections.values() {
                if let Some(bytes) = framed(&frame::drain(), connection.encoding) {
                    let _ = connection.outgoing.send(&bytes);
                }
            }
        }
    }
}

impl Drop for StdioTransport {
    fn drop(&mut self) {
        // The end of its stdin ends a worker.
        let mut state = self.shared.lock();
        state.draining = true;
        for hosted in state.services.values_mut() {
            for connection in hosted.connections.values() {
                connection.outgoing.close();
            }
            hosted.connections.clear();
        }
    }
}
