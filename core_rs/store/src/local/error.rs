//! What SQLite and the operating system say, in the store's own words.

use std::io;
use std::path::Path;

use rusqlite::{Connection, ErrorCode, ffi};

use crate::store::StoreError;

/// The operating system's numbers for a full disk, a full quota and a file at its size limit.
const NO_SPACE_ERRNOS: [i32; 3] = [28, 122, 27];

/// What went wrong inside a transaction.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// The store cannot go on, for a reason already in its own words.
    Store(StoreError),
    /// A row does not carry its own checksum, or says what no row can say.
    Damaged(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    /// What SQLite says of a row that it cannot read whole, as damage of that row: where it goes on
    /// in pages of its own, these carry checksums, and the row's own is never asked.
    pub(crate) fn of_row(self, row: &str) -> Self {
        let Self::Sql(error) = &self else { return self };
        let unsound = error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_DATA);
        let corrupt = error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt);
        if unsound || corrupt {
            return Self::Damaged(format!("{row} lies in a damaged page"));
        }
        self
    }
}

/// A [`StoreError`] from the operating system.
pub(crate) fn from_io(path: &Path, error: &io::Error) -> StoreError {
    let path = path.display().to_string();
    match error.raw_os_error() {
        Some(errno) if NO_SPACE_ERRNOS.contains(&errno) => StoreError::NoSpace { path },
        _ => StoreError::Io {
            path,
            reason: error.to_string(),
        },
    }
}

/// A [`StoreError`] from a failed operation on `connection`.
pub(crate) fn from_failure(connection: &Connection, path: &Path, failure: &Failure) -> StoreError {
    let name = path.display().to_string();
    let error = match failure {
        Failure::Damaged(reason) => {
            return StoreError::Damaged {
                path: name,
                reason: reason.clone(),
            };
        }
        Failure::Store(error) => return error.clone(),
        Failure::Sql(error) => error,
    };
    if is_sync_failure(error) {
        return StoreError::Stopped {
            path: name,
            reason: error.to_string(),
        };
    }
    if is_no_space(connection, error) {
        return StoreError::NoSpace { path: name };
    }
    from_sql(path, error)
}

/// A [`StoreError`] from an error that needs no connection to be understood.
pub(crate) fn from_sql(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display().to_string();
    let shortened = Some(ffi::SQLITE_IOERR_SHORT_READ);
    if error.sqlite_extended_error_code() == shortened {
        return StoreError::Damaged {
            path,
            reason: "the file ends too early".to_owned(),
        };
    }
    if error.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_DATA) {
        return StoreError::Damaged {
            path,
            reason: "a page does not carry its own checksum".to_owned(),
        };
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NotAStore { path },
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged {
            path,
            reason: error.to_string(),
        },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::DiskFull) => StoreError::NoSpace { path },
        _ => match error {
            // A column of another type than the schema's can only come from a damaged file.
            rusqlite::Error::SqlInputError { .. }
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..) => StoreError::Damaged {
                path,
                reason: error.to_string(),
            },
            _ => StoreError::Io {
                path,
                reason: error.to_string(),
            },
        },
    }
}

/// Whether a sync failed: then nothing is known of what the disk holds.
pub(crate) fn is_sync_failure(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_extended_error_code(),
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC)
    )
}

/// Whether the disk, the quota or the file's size limit is used up.
pub(crate) fn is_no_space(connection: &Connection, error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => true,
        Some(ErrorCode::SystemIoFailure) => {
            // SAFETY: the handle stays valid while `connection` is borrowed, and
            // `sqlite3_system_errno` only reads a number kept in it.
            let errno = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
            NO_SPACE_ERRNOS.contains(&errno)
        }
        _ => false,
    }
}
