//! A nats-server of one's own: a supervised child on loopback, with a token.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long the server may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the server may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the child is looked at.
const TICK: Duration = Duration::from_millis(20);

/// A running nats-server, started again on the same port when it dies.
#[derive(Debug)]
pub struct NatsServer {
    /// Its address.
    pub url: String,
    /// The token that clients must show.
    pub token: String,
    stopping: Arc<AtomicBool>,
    supervisor: Option<thread::JoinHandle<()>>,
}

/// Why no server could be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsServerError {
    /// The program cannot be started.
    #[error("{program} cannot be started ({reason}): pip install 'perdure[nats]', or give a URL")]
    Program {
        /// What was tried.
        program: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// It started, and ended or did not listen.
    #[error("{program} does not listen: its log is {log}")]
    NotListening {
        /// The program.
        program: PathBuf,
        /// Its log.
        log: PathBuf,
    },
}

impl NatsServer {
    /// Starts the server with its files in `directory`, and waits until it listens.
    ///
    /// # Errors
    /// [`NatsServerError`], whose text says what to do.
    pub fn start(program: &Path, directory: &Path, token: String) -> Result<Self, NatsServerError> {
        fs::create_dir_all(directory).map_err(|reason| file_error(directory, reason))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let server = ChildServer {
            program: program.to_owned(),
            directory: directory.to_owned(),
            token: token.clone(),
        };
        let (ready, started) = std::sync::mpsc::channel();
        let flag = Arc::clone(&stopping);
        // One thread starts the child every time and outlives it: the signal that ends the child
        // with its parent follows the thread that forked it.
        let supervisor = thread::spawn(move || supervise(&server, &flag, &ready));
        let port = started.recv().unwrap_or_else(|_| {
            Err(NatsServerError::NotListening {
                program: program.to_owned(),
                log: directory.join("nats.log"),
            })
        })?;
        let url = format!("nats://127.0.0.1:{port}");
        Ok(Self {
            url,
            token,
            stopping,
            supervisor: Some(supervisor),
        })
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

fn file_error(path: &Path, reason: io::Error) -> NatsServerError {
    NatsServerError::File {
        path: path.to_owned(),
        reason,
    }
}

/// How the child is started.
struct ChildServer {
    program: PathBuf,
    directory: PathBuf,
    token: String,
}

type Ready = std::sync::mpsc::Sender<Result<u16, NatsServerError>>;

fn supervise(server: &ChildServer, stopping: &AtomicBool, ready: &Ready) {
    let mut port = None;
    while !stopping.load(Ordering::Acquire) {
        let begun = server.spawn(port).and_then(|mut child| {
            let listening = server.listening_port(&mut child);
            if listening.is_err() {
                let _ = child.kill();
                let _ = child.wait();
            }
            listening.map(|port| (child, port))
        });
        match begun {
            Ok((child, found)) => {
                if port.is_none() {
                    let _ = ready.send(Ok(found));
                }
                port = Some(found);
                watch(child, stopping);
            }
            Err(error) if port.is_none() => {
                let _ = ready.send(Err(error));
                return;
            }
            Err(error) => {
                eprintln!("perdure: {error}");
                thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// Waits until the child ends, or ends it.
fn watch(mut child: Child, stopping: &AtomicBool) {
    loop {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        if stopping.load(Ordering::Acquire) {
            return stop(child);
        }
        thread::sleep(TICK);
    }
}

/// Ends the child as one that may tidy up, and by force when it does not.
fn stop(mut child: Child) {
    let deadline = Instant::now() + STOP_TIMEOUT;
    if let Ok(process) = i32::try_from(child.id()) {
        // SAFETY: kill takes two integers; the process is our child, which has not been waited for.
        unsafe { libc::kill(process, libc::SIGTERM) };
    }
    while Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    let _ = child.wait();
}

impl ChildServer {
    fn ports_directory(&self) -> PathBuf {
        self.directory.join("ports")
    }

    fn spawn(&self, port: Option<u16>) -> Result<Child, NatsServerError> {
        let ports = self.ports_directory();
        fs::create_dir_all(&ports).map_err(|reason| file_error(&ports, reason))?;
        let configuration = self.directory.join("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nports_file_dir: \"{}\"\nlog_file: \"{}\"\n\
             max_payload: 8MB\nauthorization {{ token: \"{}\" }}\n",
            port.map_or_else(|| "-1".to_owned(), |port| port.to_string()),
            ports.display(),
            self.directory.join("nats.log").display(),
            self.token,
        );
        write_private(&configuration, &text)?;
        let mut command = Command::new(&self.program);
        command
            .arg("-c")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) == 0 {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            });
        }
        command.spawn().map_err(|reason| NatsServerError::Program {
            program: self.program.clone(),
            reason,
        })
    }

    /// The port that the server wrote into its ports file, named after its process.
    fn listening_port(&self, child: &mut Child) -> Result<u16, NatsServerError> {
        let program = self
            .program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let file = self
            .ports_directory()
            .join(format!("{program}_{}.ports", child.id()));
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
            let port = fs::read_to_string(&file)
                .ok()
                .and_then(|text| port_in(&text));
            if let Some(port) = port {
                return Ok(port);
            }
            thread::sleep(Duration::from_millis(2));
        }
        let log = self.directory.join("nats.log");
        Err(NatsServerError::NotListening {
            program: self.program.clone(),
            log,
        })
    }
}

/// The port of the first `nats://…:port` address in a ports file.
fn port_in(text: &str) -> Option<u16> {
    let address = text.split('"').find(|part| part.starts_with("nats://"))?;
    address.rsplit(':').next()?.parse().ok()
}

fn write_private(path: &Path, text: &str) -> Result<(), NatsServerError> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|reason| file_error(path, reason))
}
