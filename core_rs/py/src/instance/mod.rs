//! One workflow instance over its machine: what is between an activation and the next command.
//!
//! The Python half (`perdure/instance/_instance.py`) decides nothing of order either: it makes the
//! user's objects and says how they ended.

mod activity_call;
mod activity_callable;
mod activity_plan;
mod children;
mod continuation;
mod core;
mod mismatch;
mod patches;
mod recorded;
mod scheduling;
mod site;
mod update;

use pyo3::prelude::*;

pub(crate) use self::core::InstanceCore;
pub(crate) use self::recorded::RecordedHistory;
pub(crate) use activity_plan::{RetryFields, retry_policy};

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<InstanceCore>()?;
    module.add_class::<activity_plan::ActivityPlan>()?;
    module.add_class::<activity_call::ActivityCall>()?;
    module.add_class::<activity_callable::ActivityCallable>()?;
    module.add_class::<site::CallSite>()?;
    module.add_class::<RecordedHistory>()?;
    module.add_function(wrap_pyfunction!(recorded::decode_history, module)?)?;
    children::register(module)?;
    activity_call::attach(module.py())
}
