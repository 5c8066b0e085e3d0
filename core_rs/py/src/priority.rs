//! Priorities from Python values.

use perdure_history::Priority;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// `(priority_key, fairness_key, fairness_weight)`.
pub(crate) type PriorityFields = (Option<u8>, Option<String>, Option<f64>);

/// The priority in these fields.
pub(crate) fn priority(fields: PriorityFields) -> Priority {
    Priority {
        priority_key: fields.0,
        fairness_key: fields.1.map(Into::into),
        fairness_weight: fields.2,
    }
}

/// The priority under that name: a tuple, or the list that a socket makes of one; the default when
/// there is none, which older clients do not send.
pub(crate) fn priority_of(fields: &Bound<'_, PyDict>) -> PyResult<Priority> {
    let Some(given) = fields
        .get_item("priority")?
        .filter(|given| !given.is_none())
    else {
        return Ok(Priority::default());
    };
    let given = fields.py().get_type::<PyTuple>().call1((given,))?;
    Ok(priority(given.extract::<PriorityFields>()?))
}
