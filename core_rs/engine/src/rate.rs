//! How often a route begins activities: a token bucket, which reads no clock.

use std::time::Duration;

use perdure_history::Timestamp;

/// How much may begin at once after a quiet while, as a part of a second's worth.
const BURST_SECONDS: f64 = 0.1;

/// Tokens that come back at a steady rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    per_second: f64,
    tokens: f64,
    /// Until when tokens have come back.
    at: Timestamp,
}

impl Rate {
    /// A full bucket; `None` for a rate that no number of seconds can honour.
    pub(crate) fn new(per_second: f64) -> Option<Self> {
        (per_second.is_finite() && per_second > 0.0).then(|| Self {
            per_second,
            tokens: burst(per_second),
            at: Timestamp::default(),
        })
    }

    /// The same rate keeps what it has spent.
    pub(crate) fn is_of(&self, per_second: f64) -> bool {
        self.per_second.to_bits() == per_second.to_bits()
    }

    /// How many may begin in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Whether one may begin now.
    pub(crate) fn is_ready(&mut self, now: Timestamp) -> bool {
        if now > self.at {
            let come_back = now.since(self.at).as_secs_f64() * self.per_second;
            self.tokens = (self.tokens + come_back).min(burst(self.per_second));
            self.at = now;
        }
        self.tokens >= 1.0
    }

    /// One begins.
    pub(crate) fn take(&mut self) {
        self.tokens -= 1.0;
    }

    /// When the next may begin.
    pub(crate) fn ready_at(&self) -> Timestamp {
        let seconds = ((1.0 - self.tokens) / self.per_second).max(0.0);
        // One microsecond more than is needed, so that rounding does not wake in vain.
        let wait = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        self.at + wait.saturating_add(Duration::from_micros(1))
    }
}

fn burst(per_second: f64) -> f64 {
    (per_second * BURST_SECONDS).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_over_any_span() {
        let mut rate = Rate::new(50.0).unwrap();
        let mut now = Timestamp::from_micros(1_000_000);
        let end = now + Duration::from_secs(10);
        let mut begun = 0;
        while now < end {
            while rate.is_ready(now) {
                rate.take();
                begun += 1;
            }
            assert!(rate.ready_at() > now, "it would never wait");
            now = rate.ready_at();
        }
        assert!((490..=506).contains(&begun), "{begun}");
    }

    #[test]
    fn no_rate_is_made_of_nonsense() {
        for nonsense in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Rate::new(nonsense).is_none());
        }
    }
}
