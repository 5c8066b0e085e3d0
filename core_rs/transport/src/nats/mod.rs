//! Workers anywhere, over NATS core request and reply (section 5 of the protocol page).

mod address;
mod driver;
mod fleet;
pub(crate) mod headers;
mod pending;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use perdure_engine::{ReportSink, Task, Transport};
use perdure_history::TaskId;
use tokio::sync::mpsc;

pub use address::{NatsAddress, NatsError};

use driver::Driver;

/// Limits and waits, each with its default.
#[derive(Clone, Copy, Debug)]
pub struct NatsOptions {
    /// How long a worker may take to answer at all; 250 ms (section 5).
    pub accept_timeout: Duration,
    /// After how long a silence an instance, and what it held, is lost; 15 s.
    pub silence: Duration,
    /// How often silence is looked for; 50 ms.
    pub tick: Duration,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            accept_timeout: Duration::from_millis(250),
            silence: Duration::from_secs(15),
            tick: Duration::from_millis(50),
        }
    }
}

/// What the host's thread asks of the driver.
#[derive(Debug)]
pub(crate) enum Request {
    Dispatch(Box<Task>),
    Cancel {
        service: String,
        task: TaskId,
        reason: String,
    },
    TakeInventory {
        service: String,
        awaited: Vec<(TaskId, u64)>,
    },
    Drain,
}

/// The NATS transport. It serves every service that no other transport serves.
#[derive(Debug)]
pub struct NatsTransport {
    requests: mpsc::UnboundedSender<Request>,
    driver: Option<thread::JoinHandle<()>>,
}

impl NatsTransport {
    /// Connects, and keeps connecting for ever when the server goes away later.
    ///
    /// # Errors
    /// [`NatsError`] when the first connection fails for a reason that waiting does not mend: bad
    /// credentials, an unreadable file, a malformed address.
    pub fn connect(
        address: NatsAddress,
        namespace: &str,
        options: NatsOptions,
        sink: ReportSink,
    ) -> Result<Self, NatsError> {
        let (requests, receiver) = mpsc::unbounded_channel();
        let (ready, connected) = std::sync::mpsc::channel();
        let namespace: Arc<str> = namespace.into();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(NatsError::Thread(error.to_string())));
                    return;
                }
            };
            runtime.block_on(async move {
                match Driver::connect(&address, namespace, options, sink).await {
                    Ok((driver, events)) => {
                        let _ = ready.send(Ok(()));
                        driver.run(receiver, events).await;
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                }
            });
        };
        let driver = thread::Builder::new()
            .name("perdure-nats".to_owned())
            .spawn(run)
            .map_err(|error| NatsError::Thread(error.to_string()))?;
        connected
            .recv()
            .map_err(|_| NatsError::Thread("it ended".to_owned()))??;
        Ok(Self {
            requests,
            driver: Some(driver),
        })
    }

    fn ask(&self, request: Request) {
        // The driver ends only when this sender does.
        let _ = self.requests.send(request);
    }
}

impl Transport for NatsTransport {
    fn serves(&self, _service: &str) -> bool {
        true
    }

    fn dispatch(&self, task: Task) {
        self.ask(Request::Dispatch(Box::new(task)));
    }

    fn cancel(&self, service: &str, task: TaskId, reason: &str) {
        let (service, reason) = (service.to_owned(), reason.to_owned());
        self.ask(Request::Cancel {
            service,
            task,
            reason,
        });
    }

    fn take_inventory(&self, service: &str, awaited: &[(TaskId, u64)]) {
        self.ask(Request::TakeInventory {
            service: service.to_owned(),
            awaited: awaited.to_vec(),
        });
    }

    fn drain(&self) {
        self.ask(Request::Drain);
    }
}

impl Drop for NatsTransport {
    fn drop(&mut self) {
        let (closed, _) = mpsc::unbounded_channel();
        self.requests = closed;
        if let Some(driver) = self.driver.take() {
            let _ = driver.join();
        }
    }
}
