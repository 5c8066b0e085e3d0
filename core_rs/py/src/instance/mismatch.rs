//! What the machine refused, as Python's exception with the fields of a mismatch.

use perdure_machine::{MachineError, Mismatch, Side};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The exception for what the machine refused.
pub(super) fn nondeterminism(py: Python<'_>, error: &MachineError) -> PyErr {
    build(py, error).unwrap_or_else(|error| error)
}

fn build(py: Python<'_>, error: &MachineError) -> PyResult<PyErr> {
    let errors = py.import("perdure.errors")?;
    let raised = errors
        .getattr("NondeterminismError")?
        .call1((error.to_string(),))?;
    if let MachineError::Mismatch(mismatch) = error {
        raised.setattr("mismatch", fields(&errors, mismatch)?)?;
        if let Some(site) = mismatch.asked().and_then(|asked| asked.site) {
            raised.setattr("file", &*site.file)?;
            raised.setattr("line", site.line)?;
            raised.setattr("function", &*site.function)?;
        }
    }
    Ok(PyErr::from_value(raised))
}

fn fields<'py>(errors: &Bound<'py, PyModule>, mismatch: &Mismatch) -> PyResult<Bound<'py, PyAny>> {
    let side = |side: Option<Side<'_>>| match side {
        None => Ok(None),
        Some(Side { kind, name, site }) => {
            let (file, line, function) = site.map_or(("", 0, ""), |site| {
                (&*site.file, site.line, &*site.function)
            });
            let class = errors.getattr("MismatchSide")?;
            class.call1((kind, name, file, line, function)).map(Some)
        }
    };
    let differing = mismatch
        .fields()
        .iter()
        .map(|each| (each.field, each.recorded.as_str(), each.asked.as_str()));
    let differing = PyTuple::new(errors.py(), differing.collect::<Vec<_>>())?;
    errors.getattr("HistoryMismatch")?.call1((
        mismatch.n(),
        side(mismatch.recorded())?,
        side(mismatch.asked())?,
        differing,
    ))
}
