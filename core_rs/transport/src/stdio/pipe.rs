//! A worker's stdin: written at once by whoever has something to say, and by a thread of its own
//! only when the worker reads too slowly. A wake-up of another thread costs more than the write.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::process::ChildStdin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How often a thread that waits for a slow worker looks whether it is still wanted.
const LOOK_EVERY_MS: i32 = 100;

/// The writing end of a worker's stdin.
#[derive(Debug)]
pub(super) struct Pipe {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Absent when the worker is gone or is to end: dropping it tells the worker.
    stdin: Option<Arc<ChildStdin>>,
    /// What could not be written at once.
    waiting: Vec<u8>,
    /// Whether the thread is at work: nothing may overtake it.
    writing: bool,
    closed: bool,
}

impl Pipe {
    pub(super) fn new(stdin: ChildStdin) -> io::Result<Self> {
        do_not_block(stdin.as_raw_fd())?;
        let state = State {
            stdin: Some(Arc::new(stdin)),
            waiting: Vec::new(),
            writing: false,
            closed: false,
        };
        Ok(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Bytes, a flag and a handle: a thread that died in the middle left them readable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a frame without ever blocking; `false` when the worker is gone.
    pub(super) fn send(&self, frame: &[u8]) -> bool {
        let mut state = self.lock();
        let Some(stdin) = state.stdin.clone().filter(|_| !state.closed) else {
            return false;
        };
        let mut rest = frame;
        while state.waiting.is_empty() && !state.writing && !rest.is_empty() {
            match (&*stdin).write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    state.stdin = None;
                    return false;
                }
            }
        }
        if !rest.is_empty() {
            state.waiting.extend_from_slice(rest);
            self.changed.notify_one();
        }
        true
    }

    /// Lets the worker have what waits, and then the end of the stream.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Writes what waits, until the pipe is closed or the worker is gone.
    pub(super) fn write_what_waits(&self) {
        let mut state = self.lock();
        loop {
            while state.waiting.is_empty() && !state.closed && state.stdin.is_some() {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let Some(stdin) = state.stdin.clone().filter(|_| !state.waiting.is_empty()) else {
                state.stdin = None;
                return;
            };
            let bytes = std::mem::take(&mut state.waiting);
            state.writing = true;
            drop(state);
            let written = self.write_slowly(&stdin, &bytes);
            state = self.lock();
            state.writing = false;
            if written.is_err() {
                state.stdin = None;
                return;
            }
        }
    }

    fn write_slowly(&self, mut stdin: &ChildStdin, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match stdin.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or(&[]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_until_writable(stdin.as_raw_fd());
                    if self.lock().stdin.is_none() {
                        return Err(io::ErrorKind::BrokenPipe.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The worker is gone: nothing more can be said to it.
    pub(super) fn give_up(&self) {
        self.lock().stdin = None;
        self.changed.notify_one();
    }
}

fn do_not_block(descriptor: RawFd) -> io::Result<()> {
    // SAFETY: fcntl reads and sets flags of a descriptor that the caller owns; no memory is passed.
    let set = unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK)
    };
    if set == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

fn wait_until_writable(descriptor: RawFd) {
    let mut wanted = libc::pollfd {
        fd: descriptor,
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: one pollfd, which lives across the call.
    unsafe { libc::poll(&raw mut wanted, 1, LOOK_EVERY_MS) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn more_than_the_pipe_holds_arrives_whole_and_in_order() {
        let mut child = Command::new("sh")
            // It starts to read only when the pipe has long been full.
            .args(["-c", "sleep 0.2; sha256sum"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = Arc::new(Pipe::new(child.stdin.take().unwrap()).unwrap());
        let writer = Arc::clone(&pipe);
        let writer = std::thread::spawn(move || writer.write_what_waits());
        let mut expected = Vec::new();
        for number in 0_u32..100_000 {
            assert!(pipe.send(&number.to_be_bytes()));
            expected.extend_from_slice(&number.to_be_bytes());
        }
        pipe.close();
        writer.join().unwrap();
        let output = child.wait_with_output().unwrap();
        let mut again = Command::new("sha256sum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        again.stdin.take().unwrap().write_all(&expected).unwrap();
        assert_eq!(output.stdout, again.wait_with_output().unwrap().stdout);
        assert!(!pipe.send(b"late"));
    }

    #[test]
    fn a_worker_that_never_reads_holds_nobody_up() {
        let mut child = Command::new("sleep")
            .arg("60")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let pipe = Arc::new(Pipe::new(child.stdin.take().unwrap()).unwrap());
        let writer = Arc::clone(&pipe);
        let writer = std::thread::spawn(move || writer.write_what_waits());
        assert!(pipe.send(&vec![0; 1 << 20]));
        assert!(pipe.send(b"more"));
        pipe.give_up();
        writer.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
