//! Who owns a store: one process holds the lock file, the others wait or are told who it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::local::error;
use crate::local::paths::StorePaths;
use crate::store::StoreError;

/// What to do when another engine owns the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standby {
    /// Give [`StoreError::Owned`] at once.
    #[default]
    Refuse,
    /// Wait until the owner ends, and take over at once.
    Wait,
    /// Wait so long, then give [`StoreError::Owned`].
    WaitFor(Duration),
}

/// What the lock file says of the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process.
    pub pid: u32,
    /// The epoch it writes under.
    pub epoch: u64,
    /// Where it listens for live traffic.
    pub socket: PathBuf,
}

impl Owner {
    /// The owner of a store, if an engine runs.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the lock file cannot be read.
    pub fn find(paths: &StorePaths) -> Result<Option<Self>, StoreError> {
        let path = &paths.lock;
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(reason) if reason.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(reason) => return Err(error::from_io(path, &reason)),
        };
        match file.try_lock_shared() {
            // Nobody holds it: what it says is of an owner that is gone.
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(read_owner(&mut file)),
            Err(TryLockError::Error(reason)) => Err(error::from_io(path, &reason)),
        }
    }
}

/// The held lock. It is released when this is dropped, or when the process ends in any way.
#[derive(Debug)]
pub(crate) struct OwnerLock {
    file: File,
    path: PathBuf,
}

impl OwnerLock {
    /// Takes the lock.
    pub(crate) fn take(paths: &StorePaths, standby: Standby) -> Result<Self, StoreError> {
        let path = paths.lock.clone();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|reason| error::from_io(&path, &reason))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self { file, path }),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(reason)) => return Err(error::from_io(&path, &reason)),
        }
        let owned = |file: &mut File| StoreError::Owned {
            path: paths.database.display().to_string(),
            owner_pid: read_owner(file).map_or(0, |owner| owner.pid),
        };
        match standby {
            Standby::Refuse => Err(owned(&mut file)),
            Standby::Wait => match file.lock() {
                Ok(()) => Ok(Self { file, path }),
                Err(reason) => Err(error::from_io(&path, &reason)),
            },
            Standby::WaitFor(timeout) => match wait(file, timeout) {
                Some(Ok(file)) => Ok(Self { file, path }),
                Some(Err(reason)) => Err(error::from_io(&path, &reason)),
                None => {
                    let mut file =
                        File::open(&path).map_err(|reason| error::from_io(&path, &reason))?;
                    Err(owned(&mut file))
                }
            },
        }
    }

    /// Writes who owns the store into the file, in place: the lock is on this very file.
    pub(crate) fn announce(&mut self, epoch: u64, socket: &Path) -> Result<(), StoreError> {
        let text = format!(
            "pid {}\nepoch {epoch}\nsocket {}\n",
            std::process::id(),
            socket.display()
        );
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .and_then(|_| self.file.write_all(text.as_bytes()));
        written.map_err(|reason| error::from_io(&self.path, &reason))
    }
}

/// Waits on a thread of its own, since a blocking lock knows no timeout. After the timeout the
/// thread lets the lock go again as soon as it has it.
fn wait(file: File, timeout: Duration) -> Option<std::io::Result<File>> {
    let (taken, takes) = mpsc::sync_channel(0);
    thread::spawn(move || {
        let outcome = file.lock().map(|()| file);
        // Nobody listens after the timeout: the file closes here, and with it the lock.
        drop(taken.send(outcome));
    });
    takes.recv_timeout(timeout).ok()
}

fn read_owner(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_to_string(&mut text).ok()?;
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    };
    Some(Owner {
        pid: field("pid")?.parse().ok()?,
        epoch: field("epoch")?.parse().ok()?,
        socket: PathBuf::from(field("socket")?),
    })
}
