//! An activity with one set of options, ready to be called many times.

use std::sync::Arc;
use std::time::Duration;

use perdure_history::{ActivityOptions, CancellationType, RetryPolicy};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::convert::Shape;

/// What a call needs of an activity: made once from its reference and options.
#[pyclass(frozen, module = "perdure._core._native")]
pub(crate) struct ActivityPlan {
    pub(crate) name: Arc<str>,
    pub(crate) service: Option<Arc<str>>,
    pub(crate) options: ActivityOptions,
    pub(crate) result: Py<Shape>,
    /// The Python reference it was made from, with parameter types and declared errors.
    #[pyo3(get)]
    pub(crate) reference: Py<PyAny>,
}

/// `(initial_us, coefficient, maximum_us, maximum_attempts, non_retryable_error_types, jitter)`.
type RetryFields = (u64, f64, u64, u32, Vec<String>, f64);

/// Microseconds of schedule-to-start, start-to-close, schedule-to-close and heartbeat.
type TimeoutFields = (Option<u64>, Option<u64>, Option<u64>, Option<u64>);

#[pymethods]
impl ActivityPlan {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "Python gives them by name")]
    #[pyo3(signature = (*, reference, name, service, result, task_queue, timeouts_us, retry,
        cancellation_type))]
    fn new(
        reference: Py<PyAny>,
        name: &str,
        service: Option<&str>,
        result: Py<Shape>,
        task_queue: Option<&str>,
        timeouts_us: TimeoutFields,
        retry: RetryFields,
        cancellation_type: &str,
    ) -> PyResult<Self> {
        let micros = |span: Option<u64>| span.map(Duration::from_micros);
        let options = ActivityOptions {
            task_queue: task_queue.map(Into::into),
            schedule_to_start_timeout: micros(timeouts_us.0),
            start_to_close_timeout: micros(timeouts_us.1),
            schedule_to_close_timeout: micros(timeouts_us.2),
            heartbeat_timeout: micros(timeouts_us.3),
            retry_policy: RetryPolicy {
                initial_interval: Duration::from_micros(retry.0),
                backoff_coefficient: retry.1,
                maximum_interval: Duration::from_micros(retry.2),
                maximum_attempts: retry.3,
                non_retryable_error_types: retry.4,
                jitter: retry.5,
            },
            cancellation_type: match cancellation_type {
                "try" => CancellationType::Try,
                "wait_completed" => CancellationType::WaitCompleted,
                "abandon" => CancellationType::Abandon,
                other => {
                    let message = format!("no cancellation type is called {other:?}");
                    return Err(PyValueError::new_err(message));
                }
            },
        };
        Ok(Self {
            name: name.into(),
            service: service.map(Into::into),
            options,
            result,
            reference,
        })
    }
}
