//! The activity calls of an instance: from arguments to a numbered command, and back.

use std::sync::Arc;

use perdure_history::{CancellationType, Command, Digest, Payload, ScheduleActivity, Site};
use perdure_machine::{Machine, Submitted};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::activity_plan::{self, ActivityPlan};
use super::core::InstanceCore;

/// A scheduled call, by its command's number.
pub(super) struct Waiting {
    pub(super) future: Py<PyAny>,
    pub(super) plan: Py<ActivityPlan>,
}

/// The headers of a run with those of one call over them.
fn merged(run: &[(String, String)], call: &[(String, String)]) -> Vec<(String, String)> {
    let is_kept = |name: &String| call.iter().all(|(other, _)| other != name);
    let kept = run.iter().filter(|(name, _)| is_kept(name));
    kept.chain(call).cloned().collect()
}

impl InstanceCore {
    /// The coroutine of one call of an activity.
    pub(super) fn call<'py>(
        slf: &Bound<'py, Self>,
        plan: &Bound<'py, ActivityPlan>,
        arguments: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let call = Bound::new(py, Self::call_plan(slf, plan, arguments)?)?.into_any();
        if plan.get().options.cancellation_type == CancellationType::WaitCompleted {
            return slf.call_method1(pyo3::intern!(py, "_waiting_for_the_worker"), (call,));
        }
        Ok(call)
    }

    /// Schedules an activity; gives the command's number and the future of its result.
    pub(super) fn schedule<'py>(
        slf: &Bound<'py, Self>,
        plan: &Bound<'py, ActivityPlan>,
        arguments: Payload,
        digest: Digest,
        site: Option<Arc<Site>>,
    ) -> PyResult<(u64, Bound<'py, PyAny>)> {
        let py = slf.py();
        let this = slf.get();
        let future = this.new_future(py)?;
        let fields = plan.get();
        let replayed = this.with_machine(py, |machine| {
            let cancellation = fields.options.cancellation_type;
            let service = fields.service.as_deref();
            machine.replay_activity(&fields.name, service, digest, cancellation)
        })?;
        let n = match replayed {
            Some(n) => n,
            None => Self::record_activity(slf, plan, arguments, digest, site)?,
        };
        let waiting = Waiting {
            future: future.clone().unbind(),
            plan: plan.clone().unbind(),
        };
        this.waiting.with(py, |all| all.insert(n, waiting));
        Ok((n, future))
    }

    fn record_activity(
        slf: &Bound<'_, Self>,
        plan: &Bound<'_, ActivityPlan>,
        arguments: Payload,
        digest: Digest,
        site: Option<Arc<Site>>,
    ) -> PyResult<u64> {
        let py = slf.py();
        let fields = plan.get();
        let site = match site {
            Some(site) => site,
            None => Self::site(slf)?,
        };
        let command = Command::ScheduleActivity(Arc::new(ScheduleActivity {
            name: Arc::clone(&fields.name),
            service: fields.service.clone(),
            arguments: arguments.clone(),
            digest,
            options: fields.options.clone(),
            site,
            headers: slf
                .get()
                .headers
                .with(py, |run| merged(run, &fields.headers)),
        }));
        match slf.get().submit(py, command.clone())? {
            Submitted::Accepted { n } => Ok(n),
            Submitted::ArgumentsDiffer { n, recorded } => {
                let agree = slf.call_method1(
                    pyo3::intern!(py, "_arguments_agree"),
                    (
                        &fields.reference,
                        PyBytes::new(py, &recorded.0),
                        PyBytes::new(py, &arguments.0),
                    ),
                )?;
                slf.get().judge(py, agree.is_truthy()?, command)?;
                Ok(n)
            }
        }
    }

    /// The plan of an activity with these options, made by the Python half.
    pub(super) fn plan<'py>(
        slf: &Bound<'py, Self>,
        reference: &Bound<'py, PyAny>,
        options: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, ActivityPlan>> {
        let py = slf.py();
        let plan = slf
            .call_method1(pyo3::intern!(py, "_plan"), (reference, options))?
            .cast_into::<ActivityPlan>()?;
        // Options made for one call alone are not met again.
        if reference.getattr(pyo3::intern!(py, "options"))?.is(options) {
            activity_plan::remember(reference, options, &plan);
        }
        Ok(plan)
    }

    /// The verdict on arguments whose digests differ.
    pub(super) fn judge(&self, py: Python<'_>, agree: bool, command: Command) -> PyResult<()> {
        if agree {
            return self.with_machine(py, Machine::accept_arguments);
        }
        let error = self.with_machine(py, |machine| machine.refuse_arguments(command))?;
        Err(self.refuse(py, error))
    }

    /// Forgets a call that its own code cancelled, and tells the engine unless it is abandoned.
    pub(super) fn cancel_activity(
        slf: &Bound<'_, Self>,
        n: u64,
        tell_worker: bool,
    ) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        let was_open = this.waiting.with(py, |all| all.remove(&n)).is_some();
        if was_open && tell_worker && !this.is_dead(py) {
            this.submit(py, Command::CancelActivity { command_n: n })?;
        }
        Ok(())
    }

    /// Tells the engine to cancel a call that its own code still waits for.
    pub(super) fn request_cancel(&self, py: Python<'_>, n: u64) -> PyResult<()> {
        self.submit(py, Command::CancelActivity { command_n: n })?;
        Ok(())
    }
}
