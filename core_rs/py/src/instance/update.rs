//! The end of an update: recorded, or compared with what is recorded.

use perdure_history::{Command, Payload};
use perdure_machine::Submitted;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::core::InstanceCore;

/// Ends an update; a recorded result with other bytes is compared as a value of its type.
pub(super) fn complete(
    slf: &Bound<'_, InstanceCore>,
    event_n: u64,
    result: Vec<u8>,
    hint: &Bound<'_, PyAny>,
) -> PyResult<()> {
    let py = slf.py();
    let asked = PyBytes::new(py, &result);
    let command = Command::CompleteUpdate {
        event_n,
        result: Payload(result.into()),
    };
    match slf.get().submit(py, command.clone())? {
        Submitted::Accepted { .. } => Ok(()),
        Submitted::ArgumentsDiffer { recorded, .. } => {
            let recorded = PyBytes::new(py, &recorded.0);
            let name = pyo3::intern!(py, "_update_result_agrees");
            let agree = slf.call_method1(name, (recorded, asked, hint))?;
            slf.get().judge(py, agree.is_truthy()?, command)
        }
    }
}
