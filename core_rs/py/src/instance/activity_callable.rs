//! The call of an activity in workflow code, without a Python frame: from the callable to the
//! coroutine of the call.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::activity_plan::ActivityPlan;
use super::core::InstanceCore;
use crate::current;
use crate::event_loop::GilCell;

/// What `ActivityDefinition` in Python inherits from. Its `_call` answers every call that is not
/// a plain one inside a workflow that nobody observes.
#[pyclass(subclass, frozen, module = "perdure._core._native")]
pub(crate) struct ActivityCallable {
    /// Made at the first call in a workflow; it depends on nothing but the definition.
    plan: GilCell<Option<Py<ActivityPlan>>>,
}

#[pymethods]
impl ActivityCallable {
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            plan: GilCell::new(None),
        }
    }

    #[pyo3(signature = (*arguments, **options))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        arguments: &Bound<'py, PyTuple>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let instance = current::get(py).and_then(|event_loop| InstanceCore::of(&event_loop));
        match (instance, options) {
            (Some(instance), None) if !instance.get().is_observed(py) => {
                let plan = Self::plan(slf, &instance)?;
                InstanceCore::call(&instance, &plan, arguments)
            }
            _ => {
                let elsewhere = slf.getattr(pyo3::intern!(py, "_call"))?;
                elsewhere.call(arguments, options)
            }
        }
    }
}

impl ActivityCallable {
    fn plan<'py>(
        slf: &Bound<'py, Self>,
        instance: &Bound<'py, InstanceCore>,
    ) -> PyResult<Bound<'py, ActivityPlan>> {
        let py = slf.py();
        let known = |plan: &mut Option<Py<ActivityPlan>>| plan.as_ref().map(|p| p.clone_ref(py));
        if let Some(plan) = slf.get().plan.with(py, known) {
            return Ok(plan.into_bound(py));
        }
        let reference = slf.getattr(pyo3::intern!(py, "reference"))?;
        let options = reference.getattr(pyo3::intern!(py, "options"))?;
        let plan = InstanceCore::plan(instance, &reference, &options)?;
        let made = plan.clone().unbind();
        let before = slf.get().plan.with(py, |slot| slot.replace(made));
        drop(before);
        Ok(plan)
    }
}
