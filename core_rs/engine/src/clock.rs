//! The one place that asks what time it is.
#![expect(
    clippy::disallowed_methods,
    reason = "every other file gets the time as an argument"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use perdure_history::Timestamp;

/// The system clock may run ahead of the monotonic one so far before it is believed: a machine that
/// slept, or a clock that was set.
const STEP_FORWARD: Duration = Duration::from_secs(1);

/// The system's time, carried forward by the monotonic clock: within a process it never steps back.
#[derive(Clone, Debug)]
pub struct Clock {
    anchor: Timestamp,
    since: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
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
        let mut clock = Clock::new();
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
}
