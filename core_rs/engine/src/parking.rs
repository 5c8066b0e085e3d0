//! Parked runs: a bug never kills a run (design law 7). Its reason is a status row outside the
//! history; it is tried again on new code, on request, and with backoff.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use perdure_history::Timestamp;

use crate::context::Context;
use crate::effect::{Effect, Reply};
use crate::input::ParkReason;
use crate::run::{Phase, Run};
use crate::wheel::{Due, WheelKey};

/// Codes of the reasons that the engine itself gives.
pub mod code {
    /// The code no longer does what its history says.
    pub const MISMATCH: &str = "PRD1200";
    /// No host knows the workflow type.
    pub const UNKNOWN_TYPE: &str = "PRD1203";
    /// No host serves the task queue.
    pub const NO_WORKER: &str = "PRD1204";
    /// The payload codec refuses what the run has to write.
    pub const UNSTORABLE: &str = "PRD1504";
    /// The history cannot be read: damaged, or written by a newer version.
    pub const UNREADABLE_HISTORY: &str = "PRD1503";
}

/// The reason for which a run is parked whose payloads the codec refuses.
pub(crate) fn unstorable(why: &str) -> ParkReason {
    ParkReason {
        code: code::UNSTORABLE.to_owned(),
        message: format!("the payload codec cannot encode: {why}"),
        ..ParkReason::default()
    }
}

/// How long who waits for a result is not told that nobody serves the task queue.
const WORKER_AWAITED: Duration = Duration::from_secs(5);

/// How a parked run stands.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) reason: ParkReason,
    /// How often it was tried since.
    pub(crate) tries: u32,
    /// Whether it is being tried now.
    pub(crate) trying: bool,
    /// Whether the store has the status row with this reason.
    pub(crate) written: bool,
    pub(crate) key: Option<WheelKey>,
}

impl Parked {
    /// A worker of the task queue may just be starting: those who wait for the result hear of a
    /// lack only when it lasts.
    fn is_worker_awaited(&self) -> bool {
        self.reason.code == code::NO_WORKER && self.tries == 0
    }
}

impl Context {
    /// Parks a run; the next write makes that durable.
    pub(crate) fn park(&mut self, run: &mut Run, reason: ParkReason, now: Timestamp) {
        self.forget_live(run);
        let before = run.parked.take();
        let (tries, written, mut key) = match before.map(|parked| *parked) {
            Some(before) => (
                before.tries + 1,
                before.written && before.reason == reason,
                before.key,
            ),
            None => (0, false, None),
        };
        let again_at = now + self.park_wait(&reason, tries);
        self.wheel
            .rearm(&mut key, again_at, Due::Unpark { run: run.id });
        run.parked = Some(Box::new(Parked {
            reason,
            tries,
            trying: false,
            written,
            key,
        }));
        self.answer_parked(run);
    }

    /// Tells who waits for the result that the run is parked, once that is durable: a bug that
    /// nobody hears of would look like a long wait.
    pub(crate) fn answer_parked(&mut self, run: &mut Run) {
        let Some(parked) = &run.parked else { return };
        if parked.trying || !parked.written || parked.is_worker_awaited() {
            return;
        }
        let committing = matches!(run.phase, Phase::Committing(_));
        if committing {
            return;
        }
        let updates = self.updates.take_all(run.id);
        for to in std::mem::take(&mut run.waiters).into_iter().chain(updates) {
            let reason = parked.reason.clone();
            self.effects.push_back(Effect::Reply {
                to,
                reply: Reply::Parked {
                    run: run.id,
                    reason,
                },
            });
        }
    }

    pub(crate) fn park_wait(&self, reason: &ParkReason, tries: u32) -> Duration {
        let (first, longest) = self.options.park_backoff;
        if reason.code == code::NO_WORKER && tries == 0 {
            return WORKER_AWAITED.min(first);
        }
        first
            .saturating_mul(2u32.saturating_pow(tries.min(16)))
            .min(longest)
    }

    /// Tries a parked run again: the next turn delivers what waited.
    pub(crate) fn try_again(&mut self, run: &mut Run, now: Timestamp) {
        if self.waits_while_paused(run, now) {
            return;
        }
        let Some(parked) = &mut run.parked else {
            return;
        };
        parked.trying = true;
        run.unreadable = false;
        self.wheel.disarm(&mut parked.key);
        self.advance(run, now);
    }
}

/// The form in which the status row keeps a reason: version 1, the code hash, then code, message
/// and traceback, each with its length.
#[must_use]
pub fn encode_reason(reason: &ParkReason) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(1);
    out.put_u64(reason.code_hash);
    for text in [&reason.code, &reason.message, &reason.traceback] {
        out.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        out.put_slice(text.as_bytes());
    }
    out.freeze()
}

/// Reads what [`encode_reason`] wrote; `None` when this version cannot.
#[must_use]
pub fn decode_reason(detail: &[u8]) -> Option<ParkReason> {
    let (version, rest) = detail.split_first()?;
    if *version != 1 {
        return None;
    }
    let (hash, mut rest) = rest.split_first_chunk::<8>()?;
    let mut text = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (text, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        rest = after;
        String::from_utf8(text.to_vec()).ok()
    };
    Some(ParkReason {
        code_hash: u64::from_be_bytes(*hash),
        code: text()?,
        message: text()?,
        traceback: text()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_back_and_a_damaged_one_refused() {
        let reason = ParkReason {
            code: code::MISMATCH.to_owned(),
            message: "é".to_owned(),
            traceback: "line 1\nline 2".to_owned(),
            code_hash: 42,
        };
        let detail = encode_reason(&reason);
        assert_eq!(decode_reason(&detail), Some(reason));
        for length in 0..detail.len() {
            assert_eq!(decode_reason(&detail[..length]), None, "cut at {length}");
        }
    }
}
