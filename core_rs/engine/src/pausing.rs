//! Paused runs: an operator holds a run, and lets it go on. The status row says so.
//!
//! A paused run takes no turn. Messages, results and timers wait as they do for a parked one, and
//! what is scheduled goes on: attempts, their retries, the run timeout. A word that pauses or lets
//! go on is consumed by the very write that makes it so, which has no records: a crash finds the
//! word in the inbox, or done, and a word that is done never comes again.

use bytes::{BufMut, Bytes, BytesMut};
use perdure_history::{MessageId, RunId, Timestamp};
use perdure_store::{Append, RunStatus, StatusChange};

use crate::commit::Commit;
use crate::context::Context;
use crate::effect::ReplyTo;
use crate::engine::Engine;
use crate::input::ParkReason;
use crate::parking;
use crate::pending::Delivered;
use crate::run::Run;

/// The first byte of a status row's detail that says why a run is paused; the reason follows,
/// behind its length, and then why it is parked, if it is that too.
const PAUSED: u8 = 2;

/// What the status row of an open run says besides its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusDetail {
    /// Why it is paused; absent when it is not.
    pub paused: Option<String>,
    /// Why it is parked; absent when it is not.
    pub parked: Option<ParkReason>,
}

impl StatusDetail {
    /// Reads the detail of a status row; of one that this version cannot read nothing is known.
    #[must_use]
    pub fn decode(detail: &[u8]) -> Self {
        let Some((&PAUSED, rest)) = detail.split_first() else {
            return Self {
                paused: None,
                parked: parking::decode_reason(detail),
            };
        };
        let split = rest
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_be_bytes(*length) as usize));
        let (reason, parked) = split.unwrap_or_default();
        Self {
            paused: Some(String::from_utf8_lossy(reason).into_owned()),
            parked: parking::decode_reason(parked),
        }
    }
}

/// The status row of an open run.
pub(crate) fn status_of(run: &Run) -> StatusChange {
    let parked = run.parked.as_ref();
    let parked = parked.map(|parked| parking::encode_reason(&parked.reason));
    match (&run.paused, parked) {
        (Some(reason), parked) => StatusChange {
            status: RunStatus::Paused,
            detail: paused_detail(reason, &parked.unwrap_or_default()),
        },
        (None, Some(detail)) => StatusChange {
            status: RunStatus::Parked,
            detail,
        },
        (None, None) => StatusChange {
            status: RunStatus::Running,
            detail: Bytes::new(),
        },
    }
}

fn paused_detail(reason: &str, parked: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(5 + reason.len() + parked.len());
    out.put_u8(PAUSED);
    out.put_u32(u32::try_from(reason.len()).unwrap_or(u32::MAX));
    out.put_slice(reason.as_bytes());
    out.put_slice(parked);
    out.freeze()
}

impl Engine {
    /// Holds a run for a reason, or without one lets it go on.
    pub(crate) fn set_paused(
        &mut self,
        run: RunId,
        reason: Option<String>,
        message_id: MessageId,
        reply_to: Option<ReplyTo>,
        now: Timestamp,
    ) {
        let about = Delivered {
            message_id: Some(message_id.clone()),
            reply_to,
            ..Delivered::default()
        };
        let found = self.with_run(run, |context, run| {
            context.set_paused(run, reason, about, now);
        });
        if found.is_none() {
            self.refuse_closed(run, message_id, reply_to);
        }
    }
}

impl Context {
    fn set_paused(
        &mut self,
        run: &mut Run,
        reason: Option<String>,
        about: Delivered,
        now: Timestamp,
    ) {
        if run.closing.is_some() {
            // It ends before anything else, and hears of it like any late message.
            run.late.push(about);
            return;
        }
        let goes_on = reason.is_none() && run.paused.is_some();
        run.paused = reason.map(String::into_boxed_str);
        run.pause_words.push(about);
        if goes_on {
            self.try_again(run, now);
        } else if let Some(parked) = &mut run.parked
            && run.paused.is_some()
        {
            parked.trying = false;
            self.waits_while_paused(run, now);
        }
        self.advance(run, now);
    }

    /// Whether a run that is to be tried again is paused: then its retry waits for another time.
    pub(crate) fn waits_while_paused(&mut self, run: &mut Run, now: Timestamp) -> bool {
        if run.paused.is_none() || run.closing.is_some() {
            return false;
        }
        if let Some(parked) = &mut run.parked {
            let (again_at, due) = (
                now + self.park_wait(&parked.reason, parked.tries),
                crate::wheel::Due::Unpark { run: run.id },
            );
            self.wheel.rearm(&mut parked.key, again_at, due);
        }
        true
    }
}

/// Makes the words on pausing durable that a run has heard. A write with records does not hold
/// them: it would be refused for a word that comes again.
pub(crate) fn keep_words(run: &mut Run, append: &mut Append, commit: &mut Commit) {
    append.status = Some(status_of(run));
    for about in run.pause_words.drain(..) {
        commit.kept.extend(about.reply_to);
        append.consumed_message_ids.extend(about.message_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_says_why_a_run_is_paused_and_why_it_is_parked() {
        let parked = ParkReason {
            code: parking::code::MISMATCH.to_owned(),
            ..ParkReason::default()
        };
        let encoded = parking::encode_reason(&parked);
        let both = StatusDetail {
            paused: Some("é".to_owned()),
            parked: Some(parked.clone()),
        };
        assert_eq!(StatusDetail::decode(&paused_detail("é", &encoded)), both);
        let paused = StatusDetail {
            parked: None,
            ..both
        };
        assert_eq!(StatusDetail::decode(&paused_detail("é", &[])), paused);
        let parked = StatusDetail {
            paused: None,
            parked: Some(parked),
        };
        assert_eq!(StatusDetail::decode(&encoded), parked);
        assert_eq!(StatusDetail::decode(&[]), StatusDetail::default());
        for damaged in [&[PAUSED][..], &[PAUSED, 0, 0, 0, 9, b'x']] {
            let paused = Some(String::new());
            assert_eq!(StatusDetail::decode(damaged).paused, paused);
        }
    }
}
