//! Where the parts of a local store lie.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use crate::local::error;
use crate::store::StoreError;

/// The longest path a Unix socket can be bound to on Linux, without its closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The files of one store. Two spellings of a path (links, `..`) give the same files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePaths {
    /// Histories, index and visibility.
    pub database: PathBuf,
    /// What other processes post.
    pub inbox: PathBuf,
    /// Who owns the store.
    pub lock: PathBuf,
    /// Where live traffic goes while an engine runs.
    pub socket: PathBuf,
}

impl StorePaths {
    /// The files of the store at `path`, which need not exist; its folder must.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the folder cannot be found.
    pub fn new(path: &Path) -> Result<Self, StoreError> {
        let database = canonical(path)?;
        let socket = beside(&database, "-socket");
        let socket = if socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
            socket
        } else {
            // Too deep a folder for a socket: a name of its own in the temporary folder.
            let digest = xxh3_64(database.as_os_str().as_encoded_bytes());
            std::env::temp_dir().join(format!("perdure-{digest:016x}-socket"))
        };
        Ok(Self {
            inbox: beside(&database, "-inbox"),
            lock: beside(&database, "-lock"),
            socket,
            database,
        })
    }
}

fn canonical(path: &Path) -> Result<PathBuf, StoreError> {
    if let Ok(found) = fs::canonicalize(path) {
        return Ok(found);
    }
    let name = path.file_name().ok_or_else(|| StoreError::Io {
        path: path.display().to_string(),
        reason: "the path names no file".to_owned(),
    })?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let folder = fs::canonicalize(folder).map_err(|reason| error::from_io(folder, &reason))?;
    Ok(folder.join(name))
}

/// The path with `ending` added to the file's whole name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
