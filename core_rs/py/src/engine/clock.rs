//! A clock that tests move.

use std::time::Duration;

use perdure_engine::SkippingClock;
use perdure_history::Timestamp;
use pyo3::prelude::*;

/// A clock that stands still until it is moved; it outlives the engines that follow it.
#[pyclass(frozen, name = "SkippingClock", module = "perdure._core._native")]
pub(crate) struct PySkippingClock(pub(super) SkippingClock);

#[pymethods]
impl PySkippingClock {
    #[new]
    fn new() -> Self {
        Self(SkippingClock::new())
    }

    /// The time, in microseconds since 1970.
    #[getter]
    fn now_us(&self) -> i64 {
        self.0.now().as_micros()
    }

    /// Moves it forward, never back.
    fn advance_to(&self, now_us: i64) {
        self.0.advance_to(Timestamp::from_micros(now_us));
    }

    /// From now on it does not skip, until it was released as often.
    fn hold(&self) {
        self.0.hold();
    }

    /// Ends one hold.
    fn release(&self) {
        self.0.release();
    }
}

/// Microseconds as a span; negative ones are none.
pub(super) fn span(elapsed_us: i64) -> Duration {
    Duration::from_micros(u64::try_from(elapsed_us).unwrap_or(0))
}
