//! One worker process: started, introduced, listened to, and started again when it dies.

use std::io::{BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::framing::{self, FramingError};
use super::pipe::Pipe;
use super::{Shared, StdioCommand};
use crate::frame::{self, Encoding, FrameError, Hello, PROTOCOL, WorkerFrame};
use crate::payload::MAXIMUM_DOCUMENT_DEPTH;

/// Why a worker ended.
#[derive(Debug, thiserror::Error)]
enum ChildError {
    #[error("could not be started: {0}")]
    Start(std::io::Error),
    #[error("said nothing for {0:?} after its start")]
    NoHello(Duration),
    #[error("ended before it said hello")]
    EndedEarly,
    #[error("hosts {found:?}, not {expected:?}")]
    OtherService { expected: String, found: String },
    #[error("speaks protocol {0}: this engine speaks {PROTOCOL}")]
    Protocol(u64),
    #[error(transparent)]
    Framing(#[from] FramingError),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Keeps one worker process of a service alive, on a thread of its own.
pub(super) fn supervise(shared: Arc<Shared>, command: StdioCommand) {
    let name = format!("perdure-stdio-{}", command.service);
    let run = move || {
        let (first, last) = shared.options.restart_backoff;
        let mut wait = first;
        while !shared.is_draining() {
            match run_once(&shared, &command) {
                Ok(()) => wait = first,
                Err(error) => {
                    eprintln!("perdure: a worker of {} {error}", command.service);
                    wait = (wait * 2).min(last);
                }
            }
            if !shared.is_draining() {
                thread::sleep(wait);
            }
        }
    };
    // Without a thread there is no worker: tasks are then refused as they are without a process.
    if let Err(error) = thread::Builder::new().name(name).spawn(run) {
        eprintln!("perdure: no thread for a worker: {error}");
    }
}

/// Runs the worker until it ends; `Ok` when it ended after having been of use.
fn run_once(shared: &Arc<Shared>, command: &StdioCommand) -> Result<(), ChildError> {
    let mut child = start(command).map_err(ChildError::Start)?;
    let outcome = match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => converse(shared, command, &mut child, stdin, stdout),
        _ => Err(ChildError::EndedEarly),
    };
    if outcome.is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
    outcome
}

fn start(command: &StdioCommand) -> std::io::Result<Child> {
    let mut process = Command::new(&command.program);
    process
        .args(&command.arguments)
        .env("PERDURE_TRANSPORT", "stdio")
        .envs(
            command
                .environment
                .iter()
                .map(|(name, value)| (name, value)),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    if let Some(directory) = &command.directory {
        process.current_dir(directory);
    }
    process.spawn()
}

fn converse(
    shared: &Arc<Shared>,
    command: &StdioCommand,
    child: &mut Child,
    mut stdin: ChildStdin,
    stdout: ChildStdout,
) -> Result<(), ChildError> {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    let hello = introduction(shared, command, child, &mut stdout)?;
    let encoding = if hello.accepts_message_pack {
        Encoding::MessagePack
    } else {
        Encoding::Json
    };
    let interval = u64::try_from(shared.options.liveness_interval.as_millis()).unwrap_or(5_000);
    let welcome = framing::encode(&frame::welcome(encoding, interval), Encoding::Json);
    stdin
        .write_all(&welcome.unwrap_or_default())
        .map_err(FramingError::Io)?;
    let pipe = Arc::new(Pipe::new(stdin).map_err(FramingError::Io)?);
    let writing = Arc::clone(&pipe);
    let writer = thread::spawn(move || writing.write_what_waits());
    let instance = hello.instance.clone();
    shared.connected(&command.service, hello, encoding, Arc::clone(&pipe));
    let outcome = listen(shared, &command.service, &instance, encoding, &mut stdout);
    shared.disconnected(&command.service, &instance);
    pipe.give_up();
    let _ = writer.join();
    outcome
}

/// Reads the worker's `hello`, and kills a worker that does not come to say it.
fn introduction(
    shared: &Shared,
    command: &StdioCommand,
    child: &Child,
    stdout: &mut BufReader<ChildStdout>,
) -> Result<Hello, ChildError> {
    let timeout = shared.options.hello_timeout;
    let (done, finished) = crossbeam_channel::bounded::<()>(0);
    let process = child.id();
    let guard = thread::spawn(move || {
        let late =
            finished.recv_timeout(timeout) == Err(crossbeam_channel::RecvTimeoutError::Timeout);
        if late {
            kill(process);
        }
        late
    });
    let document = framing::read(stdout);
    drop(done);
    let late = guard.join().unwrap_or(false);
    let body = match document? {
        Some(body) => body,
        None if late => return Err(ChildError::NoHello(timeout)),
        None => return Err(ChildError::EndedEarly),
    };
    let stored = Encoding::Json
        .read(&body, MAXIMUM_DOCUMENT_DEPTH)
        .map_err(FrameError::from)?;
    let WorkerFrame::Hello(hello) = WorkerFrame::read(&stored)? else {
        return Err(ChildError::EndedEarly);
    };
    if hello.service != command.service {
        let expected = command.service.clone();
        return Err(ChildError::OtherService {
            expected,
            found: hello.service,
        });
    }
    if hello.protocol > PROTOCOL {
        return Err(ChildError::Protocol(hello.protocol));
    }
    Ok(hello)
}

/// Ends a process by its number.
fn kill(process: u32) {
    if let Ok(process) = i32::try_from(process) {
        // SAFETY: kill takes two integers; the process is our child, which has not been waited for.
        unsafe { libc::kill(process, libc::SIGKILL) };
    }
}

fn listen(
    shared: &Shared,
    service: &str,
    instance: &str,
    encoding: Encoding,
    stdout: &mut BufReader<ChildStdout>,
) -> Result<(), ChildError> {
    while let Some(body) = framing::read(stdout)? {
        let stored = match encoding {
            Encoding::MessagePack => body,
            Encoding::Json => Encoding::Json
                .read(&body, MAXIMUM_DOCUMENT_DEPTH)
                .map_err(FrameError::from)?,
        };
        match WorkerFrame::read(&stored)? {
            WorkerFrame::Report(report) => shared.reported(service, instance, report),
            WorkerFrame::Draining { .. } => shared.draining(service, instance),
            // The pipe itself says whether a child lives, and this end knows what it holds.
            WorkerFrame::Hello(_) | WorkerFrame::Liveness { .. } | WorkerFrame::Unknown => {}
        }
    }
    Ok(())
}
