//! Values by name, as Python hands over what has many of them.

use pyo3::conversion::FromPyObjectOwned;
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The value of that name; a `KeyError` when there is none.
pub(crate) fn field<'py, T: FromPyObjectOwned<'py>>(
    fields: &Bound<'py, PyDict>,
    name: &'static str,
) -> PyResult<T> {
    let value = fields
        .get_item(name)?
        .ok_or_else(|| PyKeyError::new_err(name))?;
    value.extract().map_err(Into::into)
}
