//! The Rust error enums as the exceptions of `perdure.errors`.

use perdure_engine::Stopped;
use perdure_store::{QueryError, StoreError};
use pyo3::prelude::*;

/// The exception of a store that cannot be used.
pub(crate) fn store_error(py: Python<'_>, error: &StoreError) -> PyErr {
    let class = match error {
        StoreError::Owned { .. } => "StoreOwnedError",
        StoreError::NotAStore { .. }
        | StoreError::NewerFormat { .. }
        | StoreError::OlderFormat { .. }
        | StoreError::Damaged { .. } => "StoreDamagedError",
        _ => "StoreError",
    };
    make(py, class, &error.to_string())
}

/// The exception of an engine that has stopped.
pub(crate) fn stopped(py: Python<'_>, stopped: &Stopped) -> PyErr {
    let class = match stopped {
        Stopped::Damaged { .. } => "StoreDamagedError",
        Stopped::Unsealed { .. } => "PayloadCodecError",
        _ => "StoreError",
    };
    make(py, class, &stopped.to_string())
}

/// The exception of a history that cannot be read.
pub(crate) fn damaged(py: Python<'_>, error: &dyn std::fmt::Display) -> PyErr {
    make(py, "StoreDamagedError", &error.to_string())
}

/// The exception of a payload that nobody here has decoded.
pub(crate) fn encoded(py: Python<'_>, with: &str) -> PyErr {
    make(py, "EncodedPayloadError", with)
}

/// The exception of payloads that cannot be encoded.
pub(crate) fn unsealed(py: Python<'_>, reason: &str) -> PyErr {
    make(py, "PayloadCodecError", reason)
}

/// The exception of a server or connection that cannot be used.
pub(crate) fn server_error(py: Python<'_>, error: &dyn std::fmt::Display) -> PyErr {
    make(py, "ServerError", &error.to_string())
}

/// The exception of a query that cannot be read.
pub(crate) fn invalid_query(py: Python<'_>, error: &QueryError) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let class = py.import("perdure.errors")?.getattr("InvalidQueryError")?;
        let value = class.call1((error.to_string(), &error.query, error.position))?;
        Ok(PyErr::from_value(value))
    };
    build().unwrap_or_else(|error| error)
}

fn make(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let class = py.import("perdure.errors")?.getattr(class)?;
        Ok(PyErr::from_value(class.call1((message,))?))
    };
    build().unwrap_or_else(|error| error)
}
