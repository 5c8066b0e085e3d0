//! The one place that asks what time it is.
#![expect(
    clippy::disallowed_methods,
    reason = "every other file gets the time as an argument"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use perdure_history::Timestamp;

/// The system clock may run ahead of the monotonic one so far before it is believed: a machine that
/// slept, or a clock that was set.
const STEP_FORWARD: Duration = Duration::from_secs(1);

/// What an engine follows.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's time.
    System(SystemClock),
    /// A time of its own, for tests.
    Skipping(SkippingClock),
}

impl Default for Clock {
    fn default() -> Self {
        Self::System(SystemClock::new())
    }
}

impl Clock {
    /// The time.
    pub fn now(&mut self) -> Timestamp {
        match self {
            Self::System(clock) => clock.now(),
            Self::Skipping(clock) => clock.now(),
        }
    }
}

/// A clock that stands still until it is moved. Clones are the same clock: it outlives its engines.
#[derive(Clone, Debug)]
pub struct SkippingClock {
    now_us: Arc<AtomicI64>,
    holds: Arc<AtomicUsize>,
}

impl Default for SkippingClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SkippingClock {
    /// A clock that begins with the system's time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            now_us: Arc::new(AtomicI64::new(system_time().as_micros())),
            holds: Arc::default(),
        }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now_us.load(Ordering::Acquire))
    }

    /// Moves it forward, never back.
    pub fn advance_to(&self, instant: Timestamp) {
        self.now_us.fetch_max(instant.as_micros(), Ordering::AcqRel);
    }

    /// From now on it does not skip, until [`SkippingClock::release`] was called as often.
    pub fn hold(&self) {
        self.holds.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends one [`SkippingClock::hold`].
    pub fn release(&self) {
        let one_less = |holds: usize| Some(holds.saturating_sub(1));
        // An update that always gives a value cannot fail.
        let _ = self
            .holds
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less);
    }

    /// Whether it may skip.
    #[must_use]
    pub fn may_skip(&self) -> bool {
        self.holds.load(Ordering::Acquire) == 0
    }
}

/// The system's time, carried forward by the monotonic clock: within a process it never steps back.
#[derive(Clone, Debug)]
pub struct SystemClock {
    anchor: Timestamp,
    since: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl SystemClock {
    /// A clock that shows the system's time now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            anchor: system_time(),
            since: Instant::now(),
        }
    }

    /// The time. Timers follow the system's clock forward (after a machine has slept), never back.
    pub fn now(&mut self) -> Timestamp {
        let carried = self.anchor + self.since.elapsed();
        let system = system_time();
        if system > carried + STEP_FORWARD {
            self.anchor = system;
            self.since = Instant::now();
            return system;
        }
        carried
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

fn system_time() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::default() + since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_does_not_step_back_and_follows_the_system_forward() {
        let mut clock = SystemClock::new();
        let first = clock.now();
        assert!(clock.now() >= first);
        clock.anchor = first - Duration::from_secs(3_600);
        assert!(clock.now() >= first, "the machine slept for an hour");
        clock.anchor = first + Duration::from_secs(3_600);
        assert!(
            clock.now() >= first + Duration::from_secs(3_600),
            "the system's clock was set back"
        );
    }

    #[test]
    fn the_skipping_clock_moves_when_told_and_never_back() {
        let clock = SkippingClock::new();
        let same = clock.clone();
        let first = clock.now();
        clock.advance_to(first + Duration::from_secs(86_400));
        clock.advance_to(first);
        assert_eq!(same.now(), first + Duration::from_secs(86_400));
        clock.hold();
        assert!(!same.may_skip());
        same.release();
        same.release();
        assert!(clock.may_skip(), "a release too many does nothing");
    }
}
