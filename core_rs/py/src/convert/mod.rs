//! Python values ⇄ payload bytes: the storage form of the bridge protocol, written and read
//! without intermediate objects.
//!
//! Encoding is canonical: records and sets in a fixed order, one NaN, the shortest integers. So the
//! digest of the bytes is the digest of the value.

mod decode;
mod encode;
mod path;
mod plan;
mod shape;

use bytes::Bytes;
use perdure_history::Payload;
use perdure_history::payload::ENCODED;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::payload_codec::refuse_encoded;
pub(crate) use shape::Shape;

/// The deepest nesting that every language's worker can take.
pub(crate) const MAXIMUM_DEPTH: usize = 128;

/// `MessagePack` extension types of the bridge protocol.
pub(crate) mod extension {
    /// The `MessagePack` timestamp.
    pub(crate) const TIMESTAMP: i8 = -1;
    /// A duration: nanoseconds, int64 big-endian.
    pub(crate) const DURATION: i8 = 1;
    /// A decimal: ASCII text.
    pub(crate) const DECIMAL: i8 = 2;
    /// A UUID: 16 bytes.
    pub(crate) const UUID: i8 = 3;
}

/// Encodes one value.
///
/// # Errors
/// `EncodeError` with the path to what cannot be represented.
pub(crate) fn to_payload(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    let mut bytes = Vec::with_capacity(64);
    encode::value(&mut bytes, value, 0)
        .map_err(|fault| fault.into_error(value.py(), "EncodeError"))?;
    Ok(Payload(Bytes::from(bytes)))
}

/// Encodes positional arguments as one list, without making the list.
///
/// # Errors
/// `EncodeError` with the path to what cannot be represented.
pub(crate) fn arguments_to_payload(arguments: &Bound<'_, PyTuple>) -> PyResult<Payload> {
    let mut bytes = Vec::with_capacity(64);
    encode::tuple(&mut bytes, arguments, 0)
        .map_err(|fault| fault.into_error(arguments.py(), "EncodeError"))?;
    Ok(Payload(Bytes::from(bytes)))
}

/// Decodes one value into the shape that the code declares.
///
/// # Errors
/// `DecodeError` with the path to what does not fit.
pub(crate) fn from_payload(
    py: Python<'_>,
    payload: &Payload,
    shape: &Shape,
) -> PyResult<Py<PyAny>> {
    if payload.is_encoded() {
        refuse_encoded(py, payload)?;
    }
    decode::whole(py, &payload.0, shape).map_err(|fault| fault.into_error(py, "DecodeError"))
}

/// Encodes a value: what activities and clients send.
#[pyfunction]
#[pyo3(name = "encode")]
fn encode_value<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(value.py(), &to_payload(value)?.0))
}

/// Decodes bytes into a shape.
#[pyfunction]
#[pyo3(name = "decode")]
fn decode_value(py: Python<'_>, data: &[u8], shape: &Shape) -> PyResult<Py<PyAny>> {
    if data.first() == Some(&ENCODED) {
        refuse_encoded(py, &Payload(Bytes::copy_from_slice(data)))?;
    }
    decode::whole(py, data, shape).map_err(|fault| fault.into_error(py, "DecodeError"))
}

/// A `ValueError` or `TypeError` of a class says that the value does not fit; others are bugs.
pub(crate) fn misfit(py: Python<'_>, error: PyErr) -> path::Fault {
    if error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyTypeError>(py) {
        return path::Fault::new(error.value(py).to_string());
    }
    path::Fault::from(error)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Shape>()?;
    module.add_function(wrap_pyfunction!(encode_value, module)?)?;
    module.add_function(wrap_pyfunction!(decode_value, module)?)?;
    module.add_function(wrap_pyfunction!(plan::set_class_hook, module)?)
}
