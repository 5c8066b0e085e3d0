//! One outstanding activity: where its current attempt stands, and the form in which the index
//! keeps that, so that a restart goes on without replaying.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use perdure_history::{Failure, Payload, RunId, ScheduleActivity, Timestamp};

use crate::line::Place;
use crate::slots::RouteId;
use crate::wheel::WheelKey;

/// Where the current attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits for a slot.
    Queued,
    /// It holds a slot, and is handed out once that is durable.
    Reserved,
    /// It was handed out.
    Handed,
    /// A worker said that it began.
    Started,
    /// The attempt before failed, and the wait before the next is not over.
    Backoff,
    /// No worker began it; it is handed out again after a short wait.
    NotStarted,
    /// It was handed to a service before a restart; its worker has not claimed it yet.
    Unclaimed,
    /// Its code has returned; its outcome comes from elsewhere, by its token.
    Detached,
    /// Its outcome waits for a turn.
    Reported,
}

/// One outstanding activity.
#[derive(Debug)]
pub(crate) struct Activity {
    /// What was asked; absent after a restart until the history is read.
    pub(crate) schedule: Option<Arc<ScheduleActivity>>,
    pub(crate) route: RouteId,
    pub(crate) stage: Stage,
    /// The current attempt, from 1.
    pub(crate) attempt: u32,
    pub(crate) nonce: u64,
    pub(crate) scheduled_at: Timestamp,
    /// When the attempt was handed out, began, or may begin, by stage.
    pub(crate) stage_at: Timestamp,
    /// When its worker was last heard.
    pub(crate) heard_at: Timestamp,
    pub(crate) cancel_requested: bool,
    /// When the worker was last told to cancel; told again, since that may be lost.
    pub(crate) cancel_told_at: Timestamp,
    /// How often in a row no worker began it.
    pub(crate) refusals: u32,
    /// Why no worker began it.
    pub(crate) refusal: Option<String>,
    pub(crate) heartbeat_details: Option<Payload>,
    /// When heartbeat details were last written to the index.
    pub(crate) details_kept_at: Timestamp,
    pub(crate) last_failure: Option<Box<Failure>>,
    /// Whether no record says that the attempt before failed.
    pub(crate) failed_unrecorded: bool,
    pub(crate) key: Option<WheelKey>,
}

impl Activity {
    /// A newly scheduled activity.
    pub(crate) fn new(schedule: Arc<ScheduleActivity>, route: RouteId, at: Timestamp) -> Self {
        Self {
            schedule: Some(schedule),
            route,
            stage: Stage::Queued,
            attempt: 1,
            nonce: 0,
            scheduled_at: at,
            stage_at: at,
            heard_at: at,
            cancel_requested: false,
            cancel_told_at: at,
            refusals: 0,
            refusal: None,
            heartbeat_details: None,
            details_kept_at: at,
            last_failure: None,
            failed_unrecorded: false,
            key: None,
        }
    }

    /// Its place in line. What it waits since is what the index keeps of it.
    pub(crate) fn place(&self, run: RunId, command_n: u64) -> Place {
        Place {
            since: self.stage_at,
            run,
            command_n,
        }
    }

    /// Whether the attempt is under way, with a worker or elsewhere.
    pub(crate) fn is_handed(&self) -> bool {
        matches!(
            self.stage,
            Stage::Handed | Stage::Started | Stage::Unclaimed | Stage::Detached
        )
    }

    /// How many attempts were begun.
    pub(crate) fn attempts_begun(&self) -> u32 {
        match self.stage {
            Stage::Queued | Stage::Reserved | Stage::NotStarted => self.attempt.saturating_sub(1),
            _ => self.attempt,
        }
    }

    /// The form in which the index keeps the state. An outcome that is not durable is not in it.
    pub(crate) fn encode(&self, origin: RunId) -> Bytes {
        let stage = match self.stage {
            Stage::Queued | Stage::NotStarted | Stage::Reported => 0,
            Stage::Reserved | Stage::Handed | Stage::Started | Stage::Unclaimed => 1,
            Stage::Backoff => 2,
            Stage::Detached => 4,
        };
        encode(self, (stage, self.attempt, self.stage_at), origin)
    }

    /// The form in which the index keeps an activity whose outcome is in the inbox.
    pub(crate) fn encode_reported(&self, origin: RunId) -> Bytes {
        encode(self, (3, self.attempt, self.stage_at), origin)
    }

    /// The form in which the index keeps an activity whose last durable word is that an attempt
    /// failed, whatever has become of it since.
    pub(crate) fn encode_failed(&self, attempt: u32, again_at: Timestamp, origin: RunId) -> Bytes {
        encode(self, (2, attempt, again_at), origin)
    }

    fn service(&self) -> Option<&str> {
        self.schedule.as_ref()?.service.as_deref()
    }
}

/// The version of the encoding below. Decoders of every released version stay.
const VERSION: u8 = 1;

/// `[version, stage, flags, attempt u32, nonce u64, scheduled_at i64, stage_at i64, origin 16,
/// service length u16 and bytes, details]`, integers big-endian. Flags: 1 the call is being
/// cancelled, 2 a service hosts it, 4 heartbeat details follow to the end.
fn encode(
    activity: &Activity,
    (stage, attempt, stage_at): (u8, u32, Timestamp),
    origin: RunId,
) -> Bytes {
    let service = activity.service();
    let details = activity.heartbeat_details.as_ref();
    let service_bytes = service.unwrap_or_default().as_bytes();
    let details_length = details.map_or(0, |details| details.0.len());
    let mut out = BytesMut::with_capacity(49 + service_bytes.len() + details_length);
    out.put_u8(VERSION);
    out.put_u8(stage);
    out.put_u8(
        u8::from(activity.cancel_requested)
            | (u8::from(service.is_some()) << 1)
            | (u8::from(details.is_some()) << 2),
    );
    out.put_u32(attempt);
    out.put_u64(activity.nonce);
    out.put_i64(activity.scheduled_at.as_micros());
    out.put_i64(stage_at.as_micros());
    out.put_slice(&origin.0);
    out.put_u16(u16::try_from(service_bytes.len()).unwrap_or(u16::MAX));
    out.put_slice(
        service_bytes
            .get(..usize::from(u16::MAX))
            .unwrap_or(service_bytes),
    );
    if let Some(details) = details {
        out.put_slice(&details.0);
    }
    out.freeze()
}

/// What the index says of an activity after a restart.
#[derive(Debug, PartialEq)]
pub(crate) struct KeptActivity {
    pub(crate) stage: Stage,
    pub(crate) attempt: u32,
    pub(crate) nonce: u64,
    pub(crate) scheduled_at: Timestamp,
    pub(crate) stage_at: Timestamp,
    pub(crate) cancel_requested: bool,
    pub(crate) origin: RunId,
    pub(crate) service: Option<Arc<str>>,
    pub(crate) heartbeat_details: Option<Payload>,
}

/// Reads what [`Activity::encode`] wrote; `None` when this version cannot.
pub(crate) fn decode(state: &Bytes) -> Option<KeptActivity> {
    let mut reader = Reader(state.clone());
    if reader.take::<1>()? != [VERSION] {
        return None;
    }
    let stage = match reader.take::<1>()? {
        [0] => Stage::Queued,
        [1] => Stage::Handed,
        [2] => Stage::Backoff,
        [3] => Stage::Reported,
        [4] => Stage::Detached,
        _ => return None,
    };
    let [flags] = reader.take::<1>()?;
    let attempt = u32::from_be_bytes(reader.take()?);
    let nonce = u64::from_be_bytes(reader.take()?);
    let scheduled_at = Timestamp::from_micros(i64::from_be_bytes(reader.take()?));
    let stage_at = Timestamp::from_micros(i64::from_be_bytes(reader.take()?));
    let origin = RunId(reader.take()?);
    let service_length = usize::from(u16::from_be_bytes(reader.take()?));
    let service_bytes = reader.split(service_length)?;
    let service = std::str::from_utf8(&service_bytes).ok()?;
    Some(KeptActivity {
        stage,
        attempt,
        nonce,
        scheduled_at,
        stage_at,
        cancel_requested: flags & 1 != 0,
        origin,
        service: (flags & 2 != 0).then(|| Arc::from(service)),
        heartbeat_details: (flags & 4 != 0).then(|| Payload(reader.0.clone())),
    })
}

/// A state before and from its heartbeat details on; `None` when it has none.
pub(crate) fn split_details(state: &Bytes) -> Option<(Bytes, Payload)> {
    let details = decode(state)?.heartbeat_details?;
    let head = state.len().checked_sub(details.0.len())?;
    Some((state.slice(..head), details))
}

struct Reader(Bytes);

impl Reader {
    fn split(&mut self, length: usize) -> Option<Bytes> {
        (self.0.len() >= length).then(|| self.0.split_to(length))
    }

    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.split(LENGTH)
            .and_then(|bytes| bytes.as_ref().try_into().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::schedule;

    #[test]
    fn what_the_index_keeps_is_read_back() {
        let asked = schedule("parse", Some("goaudit"));
        let mut activity =
            Activity::new(asked, RouteId::of_tests(false), Timestamp::from_micros(-5));
        activity.stage = Stage::Backoff;
        activity.attempt = 3;
        activity.nonce = u64::MAX;
        activity.stage_at = Timestamp::from_micros(77);
        activity.cancel_requested = true;
        activity.heartbeat_details = Some(Payload(Bytes::from_static(b"\x07")));
        let origin = RunId([9; 16]);
        let state = activity.encode(origin);
        let kept = KeptActivity {
            stage: Stage::Backoff,
            attempt: 3,
            nonce: u64::MAX,
            scheduled_at: Timestamp::from_micros(-5),
            stage_at: Timestamp::from_micros(77),
            cancel_requested: true,
            origin,
            service: Some(Arc::from("goaudit")),
            heartbeat_details: Some(Payload(Bytes::from_static(b"\x07"))),
        };
        assert_eq!(decode(&state), Some(kept));
    }

    #[test]
    fn a_truncated_or_newer_state_is_refused() {
        let activity = Activity::new(
            schedule("parse", None),
            RouteId::of_tests(true),
            Timestamp::from_micros(0),
        );
        let state = activity.encode(RunId([9; 16]));
        for length in 0..state.len() {
            assert_eq!(decode(&state.slice(..length)), None, "cut at {length}");
        }
        let mut newer = state.to_vec();
        newer[0] = VERSION + 1;
        assert_eq!(decode(&Bytes::from(newer)), None);
    }
}
