//! Rate limits by key: how much of each was granted in the last period, and until when one is
//! closed. What is granted is durable before the attempt leaves, so that a restart grants nothing
//! twice.
//!
//! A period is a sliding window, told in slices: a grant counts from when it was made until a
//! period after the end of its slice, so never too short, and at most a slice too long. In no span
//! of a period is more granted than the limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_history::{RateLimit, Timestamp};
use perdure_store::RateMark;
use rustc_hash::FxHashMap;

/// Into how many slices a period is cut.
const SLICES: u32 = 64;
/// How many keys there may be before those that no longer count are looked for.
const KEYS_SWEPT_FROM: usize = 1_024;

/// All keys.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    buckets: FxHashMap<Arc<str>, Bucket>,
    /// What the next write of the run that was granted something has to hold.
    marks: Vec<RateMark>,
    /// How many keys there were when they were last looked through.
    swept: usize,
}

/// One key.
#[derive(Debug, Default)]
struct Bucket {
    /// What was granted, by the end of the slice, under which the store has it.
    slices: BTreeMap<Timestamp, Slice>,
    closed_until: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    units: u64,
    /// The end of the slice, unless the clock has gone back behind it since.
    at: Timestamp,
    /// When no period counts it any more.
    until: Timestamp,
}

impl RateLimits {
    /// Takes over what the store has. What counts no more is taken out of it by the next write.
    pub(crate) fn recover(&mut self, marks: Vec<RateMark>, now: Timestamp) {
        for mark in marks {
            let Some(until) = mark.until else { continue };
            let is_closed = mark.slice == Timestamp::NEVER;
            // Nothing was granted later than now, whatever the clock said then.
            let at = mark.slice.min(now);
            let until = if is_closed {
                until
            } else {
                at + until.since(mark.slice)
            };
            if until <= now {
                self.marks.push(RateMark {
                    until: None,
                    ..mark
                });
                continue;
            }
            let bucket = self.buckets.entry(Arc::clone(&mark.key)).or_default();
            if is_closed {
                bucket.closed_until = until;
            } else {
                let units = mark.units;
                bucket.slices.insert(mark.slice, Slice { units, at, until });
            }
        }
    }

    /// The key that keeps a call waiting longest, and until when; `None` when it may begin now.
    pub(crate) fn waits_for<'a>(
        &self,
        limits: &'a [RateLimit],
        now: Timestamp,
    ) -> Option<(&'a Arc<str>, Timestamp)> {
        let waits = limits.iter().filter_map(|limit| {
            let ready_at = self.buckets.get(&limit.key)?.ready_at(limit, now);
            (ready_at > now).then_some((&limit.key, ready_at))
        });
        waits.max_by_key(|(_, ready_at)| *ready_at)
    }

    /// An attempt is granted what it uses.
    pub(crate) fn take(&mut self, limits: &[RateLimit], now: Timestamp) {
        for limit in limits {
            let bucket = self.buckets.entry(Arc::clone(&limit.key)).or_default();
            bucket.forget_old(&limit.key, now, &mut self.marks);
            bucket.take(limit, now, &mut self.marks);
        }
        self.sweep(now);
    }

    /// Nothing more is granted of these keys before `until`.
    pub(crate) fn close(&mut self, limits: &[RateLimit], until: Timestamp) {
        for limit in limits {
            let bucket = self.buckets.entry(Arc::clone(&limit.key)).or_default();
            bucket.closed_until = bucket.closed_until.max(until);
            self.marks.push(RateMark {
                key: Arc::clone(&limit.key),
                slice: Timestamp::NEVER,
                units: 0,
                until: Some(bucket.closed_until),
            });
        }
    }

    /// What is to be written with the attempt that was just granted something.
    pub(crate) fn take_marks(&mut self, to: &mut Vec<RateMark>) {
        to.append(&mut self.marks);
    }

    fn sweep(&mut self, now: Timestamp) {
        if self.buckets.len() < KEYS_SWEPT_FROM.max(2 * self.swept) {
            return;
        }
        for (key, bucket) in &mut self.buckets {
            bucket.forget_old(key, now, &mut self.marks);
        }
        let counts = |bucket: &Bucket| !bucket.slices.is_empty() || bucket.closed_until > now;
        self.buckets.retain(|_, bucket| counts(bucket));
        self.swept = self.buckets.len();
    }
}

impl Bucket {
    /// When so much is free; not after `now` when it is now.
    fn ready_at(&self, limit: &RateLimit, now: Timestamp) -> Timestamp {
        let mut counted: Vec<_> = self
            .slices
            .values()
            .map(|slice| (slice.at + limit.period, slice.units))
            .filter(|(until, _)| *until > now)
            .collect();
        counted.sort_unstable();
        let used: u64 = counted.iter().map(|(_, units)| units).sum();
        let mut too_much = used.saturating_add(limit.units).saturating_sub(limit.limit);
        let mut ready_at = now;
        for (until, units) in counted {
            if too_much == 0 {
                break;
            }
            too_much = too_much.saturating_sub(units);
            ready_at = until;
        }
        ready_at.max(self.closed_until)
    }

    fn take(&mut self, limit: &RateLimit, now: Timestamp, marks: &mut Vec<RateMark>) {
        let end = end_of_slice(limit.period, now);
        let slice = self.slices.entry(end).or_insert(Slice {
            units: 0,
            at: end,
            until: end,
        });
        slice.units = slice.units.saturating_add(limit.units);
        slice.at = slice.at.max(end);
        slice.until = slice.until.max(end + limit.period);
        marks.push(RateMark {
            key: Arc::clone(&limit.key),
            slice: end,
            units: slice.units,
            until: Some(slice.until),
        });
    }

    fn forget_old(&mut self, key: &Arc<str>, now: Timestamp, marks: &mut Vec<RateMark>) {
        self.slices.retain(|end, slice| {
            let counts = slice.until > now;
            if !counts {
                marks.push(RateMark {
                    key: Arc::clone(key),
                    slice: *end,
                    units: 0,
                    until: None,
                });
            }
            counts
        });
    }
}

fn end_of_slice(period: Duration, now: Timestamp) -> Timestamp {
    let width = i64::try_from((period / SLICES).as_micros()).unwrap_or(i64::MAX);
    let width = width.max(1);
    let begun = now.as_micros().div_euclid(width);
    Timestamp::from_micros(begun.saturating_add(1).saturating_mul(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn limit(limit: u64, units: u64) -> [RateLimit; 1] {
        [RateLimit {
            key: Arc::from("openai"),
            limit,
            period: MINUTE,
            units,
        }]
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn marks(limits: &mut RateLimits) -> Vec<RateMark> {
        let mut marks = Vec::new();
        limits.take_marks(&mut marks);
        marks
    }

    /// What a store holds after these marks.
    fn stored(kept: &mut BTreeMap<(Arc<str>, Timestamp), RateMark>, marks: Vec<RateMark>) {
        for mark in marks {
            let row = (Arc::clone(&mark.key), mark.slice);
            if mark.until.is_none() {
                kept.remove(&row);
            } else {
                kept.insert(row, mark);
            }
        }
    }

    #[test]
    fn in_no_minute_is_more_granted_than_the_limit_and_little_less() {
        let asked = limit(100, 1);
        let mut limits = RateLimits::default();
        let mut kept = BTreeMap::new();
        let mut granted = Vec::new();
        let mut now = at(1_000);
        while now < at(1_600) {
            match limits.waits_for(&asked, now) {
                None => {
                    limits.take(&asked, now);
                    granted.push(now);
                    stored(&mut kept, marks(&mut limits));
                    // Every tenth grant, everything begins again from the store.
                    if granted.len() % 10 == 0 {
                        limits = RateLimits::default();
                        limits.recover(kept.values().cloned().collect(), now);
                        stored(&mut kept, marks(&mut limits));
                    }
                    now = now + Duration::from_millis(17);
                }
                Some((_, ready_at)) => {
                    assert!(ready_at > now, "it would never wait");
                    now = ready_at;
                }
            }
        }
        for first in &granted {
            let within = granted
                .iter()
                .filter(|other| **other >= *first && **other < *first + MINUTE);
            assert!(within.count() <= 100);
        }
        // Ten minutes of 100, less a slice each.
        assert!(granted.len() >= 970, "{}", granted.len());
        assert!(
            kept.len() <= 66,
            "what counts no more is taken out: {}",
            kept.len()
        );
    }

    #[test]
    fn a_call_uses_as_many_units_as_it_says() {
        let mut limits = RateLimits::default();
        limits.take(&limit(1_000, 700), at(0));
        assert!(limits.waits_for(&limit(1_000, 300), at(0)).is_none());
        let (key, ready_at) = limits.waits_for(&limit(1_000, 301), at(0)).map_or_else(
            || (String::new(), at(0)),
            |(key, ready_at)| (key.to_string(), ready_at),
        );
        assert_eq!(key, "openai");
        assert!(ready_at >= at(60) && ready_at < at(61), "{ready_at:?}");
    }

    #[test]
    fn a_closed_key_grants_nothing_also_after_a_restart() {
        let mut limits = RateLimits::default();
        limits.close(&limit(10, 1), at(500));
        limits.close(&limit(10, 1), at(400));
        let mut after = RateLimits::default();
        after.recover(marks(&mut limits), at(450));
        for limits in [&limits, &after] {
            let waits = limits.waits_for(&limit(10, 1), at(499)).map(|(_, at)| at);
            assert_eq!(waits, Some(at(500)));
            assert!(limits.waits_for(&limit(10, 1), at(500)).is_none());
        }
    }

    #[test]
    fn a_clock_that_went_back_closes_a_key_for_no_longer_than_a_period() {
        let mut limits = RateLimits::default();
        limits.take(&limit(1, 1), at(1_000_000));
        let mut after = RateLimits::default();
        after.recover(marks(&mut limits), at(1_000));
        let ready_at = after.waits_for(&limit(1, 1), at(1_000)).map(|(_, at)| at);
        assert_eq!(ready_at, Some(at(1_060)));
    }

    #[test]
    fn keys_that_count_no_more_are_forgotten() {
        let mut limits = RateLimits::default();
        for number in 0..10_000 {
            let asked = [RateLimit {
                key: Arc::from(format!("tenant-{number}")),
                ..limit(1, 1)[0].clone()
            }];
            limits.take(&asked, at(100 * number));
        }
        assert!(
            limits.buckets.len() <= KEYS_SWEPT_FROM,
            "{}",
            limits.buckets.len()
        );
    }
}
