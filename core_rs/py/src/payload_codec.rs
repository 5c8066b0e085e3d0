//! A payload codec in Python, as the engine calls it.

use bytes::Bytes;
use perdure_engine::{PayloadCodec, Seal};
use perdure_history::Payload;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors;

/// Has `encode(list[bytes]) -> list[bytes]` and `decode(list[bytes]) -> list[bytes]`.
#[derive(Debug)]
struct Codec(Py<PyAny>);

impl Codec {
    fn call(&self, py: Python<'_>, method: &str, payloads: &[Bytes]) -> PyResult<Vec<Bytes>> {
        let given = payloads.iter().map(|payload| PyBytes::new(py, payload));
        let given = PyList::new(py, given.collect::<Vec<_>>())?;
        let changed = self.0.bind(py).call_method1(method, (given,))?;
        changed
            .try_iter()?
            .map(|each| {
                let each = each?;
                let bytes = each.cast::<PyBytes>().map_err(|_| {
                    PyTypeError::new_err(format!("the payload codec's {method} gives bytes"))
                })?;
                Ok(Bytes::copy_from_slice(bytes.as_bytes()))
            })
            .collect()
    }
}

impl PayloadCodec for Codec {
    fn encode(&self, plain: &[Bytes]) -> Result<Vec<Bytes>, String> {
        Python::attach(|py| {
            self.call(py, "encode", plain)
                .map_err(|error| error.to_string())
        })
    }

    fn decode(&self, encoded: &[Bytes]) -> Vec<Bytes> {
        Python::attach(|py| match self.call(py, "decode", encoded) {
            Ok(decoded) => decoded,
            Err(error) => {
                // The half in Python gives back what it cannot decode: this is a bug of it.
                error.write_unraisable(py, Some(self.0.bind(py)));
                encoded.to_vec()
            }
        })
    }
}

/// What stands between memory and the disk; nothing without a codec.
pub(crate) fn seal(codec: Option<Py<PyAny>>) -> Seal {
    Seal::new(codec.map(|codec| std::sync::Arc::new(Codec(codec)) as _))
}

/// Refuses a payload that is still encoded: it is no value.
pub(crate) fn refuse_encoded(py: Python<'_>, payload: &Payload) -> PyResult<()> {
    payload
        .encoded_with()
        .map_or(Ok(()), |with| Err(errors::encoded(py, &with)))
}
