//! An activity with one set of options, ready to be called many times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_history::{ActivityOptions, CancellationType, LocalOptions, RateLimit, RetryPolicy};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::Shape;
use crate::event_loop::GilCell;
use crate::priority::{PriorityFields, priority as priority_in};

/// How many plans are found by identity; when there are more, all are forgotten.
const KNOWN_PLANS_MAX: usize = 1_000;

/// Plans by the addresses of reference and options. An entry keeps both alive, so that no other
/// object can come to lie there.
static KNOWN: GilCell<BTreeMap<(usize, usize), Known>> = GilCell::new(BTreeMap::new());

/// A plan and what it was made from.
struct Known {
    plan: Py<ActivityPlan>,
    _made_from: (Py<PyAny>, Py<PyAny>),
}

/// The plan that was remembered for these very objects.
pub(super) fn known<'py>(
    reference: &Bound<'py, PyAny>,
    options: &Bound<'py, PyAny>,
) -> Option<Bound<'py, ActivityPlan>> {
    let py = reference.py();
    let key = (reference.as_ptr() as usize, options.as_ptr() as usize);
    KNOWN.with(py, |known| {
        known.get(&key).map(|known| known.plan.bind(py).clone())
    })
}

/// Remembers a plan.
pub(super) fn remember(
    reference: &Bound<'_, PyAny>,
    options: &Bound<'_, PyAny>,
    plan: &Bound<'_, ActivityPlan>,
) {
    let py = reference.py();
    let key = (reference.as_ptr() as usize, options.as_ptr() as usize);
    let entry = Known {
        plan: plan.clone().unbind(),
        _made_from: (reference.clone().unbind(), options.clone().unbind()),
    };
    let forgotten = KNOWN.with(py, |known| {
        let forgotten = if known.len() < KNOWN_PLANS_MAX {
            BTreeMap::new()
        } else {
            std::mem::take(known)
        };
        (known.insert(key, entry), forgotten)
    });
    drop(forgotten);
}

/// What a call needs of an activity: made once from its reference and options.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct ActivityPlan {
    pub(crate) name: Arc<str>,
    pub(crate) service: Option<Arc<str>>,
    pub(crate) options: ActivityOptions,
    /// Texts that travel with the call, over those of the run.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) result: Py<Shape>,
    /// The Python reference it was made from, with parameter types and declared errors.
    #[pyo3(get)]
    pub(crate) reference: Py<PyAny>,
}

/// `(initial_us, coefficient, maximum_us, maximum_attempts, non_retryable_error_types, jitter)`.
pub(crate) type RetryFields = (u64, f64, u64, u32, Vec<String>, f64);

/// Microseconds of schedule-to-start, start-to-close, schedule-to-close and heartbeat.
type TimeoutFields = (Option<u64>, Option<u64>, Option<u64>, Option<u64>);

/// `(key, limit, period_us, units)`.
type RateFields = (String, u64, u64, u64);

fn rate_limit((key, limit, period_us, units): RateFields) -> RateLimit {
    RateLimit {
        key: key.into(),
        limit,
        period: Duration::from_micros(period_us),
        units,
    }
}

/// The policy in these fields.
pub(crate) fn retry_policy(retry: RetryFields) -> RetryPolicy {
    RetryPolicy {
        initial_interval: Duration::from_micros(retry.0),
        backoff_coefficient: retry.1,
        maximum_interval: Duration::from_micros(retry.2),
        maximum_attempts: retry.3,
        non_retryable_error_types: retry.4,
        jitter: retry.5,
    }
}

#[pymethods]
impl ActivityPlan {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    #[pyo3(signature = (*, reference, name, service, result, task_queue, timeouts_us, retry,
        cancellation_type, priority, rate_limits, headers, local=None, session=None))]
    fn new(
        reference: Py<PyAny>,
        name: &str,
        service: Option<&str>,
        result: Py<Shape>,
        task_queue: Option<&str>,
        timeouts_us: TimeoutFields,
        retry: RetryFields,
        cancellation_type: &str,
        priority: PriorityFields,
        rate_limits: Vec<RateFields>,
        headers: Vec<(String, String)>,
        local: Option<(u64, bool)>,
        session: Option<u64>,
    ) -> PyResult<Self> {
        let micros = |span: Option<u64>| span.map(Duration::from_micros);
        let options = ActivityOptions {
            task_queue: task_queue.map(Into::into),
            schedule_to_start_timeout: micros(timeouts_us.0),
            start_to_close_timeout: micros(timeouts_us.1),
            schedule_to_close_timeout: micros(timeouts_us.2),
            heartbeat_timeout: micros(timeouts_us.3),
            retry_policy: retry_policy(retry),
            cancellation_type: match cancellation_type {
                "try" => CancellationType::Try,
                "wait_completed" => CancellationType::WaitCompleted,
                "abandon" => CancellationType::Abandon,
                other => {
                    let message = format!("no cancellation type is called {other:?}");
                    return Err(PyValueError::new_err(message));
                }
            },
            priority: priority_in(priority),
            local: local.map(|(threshold_us, recorded_first)| LocalOptions {
                retry_threshold: Duration::from_micros(threshold_us),
                recorded_first,
            }),
            session,
            rate_limits: rate_limits.into_iter().map(rate_limit).collect(),
        };
        Ok(Self {
            name: name.into(),
            service: service.map(Into::into),
            options,
            headers,
            result,
            reference,
        })
    }
}
