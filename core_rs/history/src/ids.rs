//! Names of things: runs, messages, tasks, and the key that makes an effect idempotent.

use alloc::string::String;
use core::fmt;

use bytes::Bytes;

use crate::payload::{Digest, Payload};
use crate::time::Timestamp;

/// One run of a workflow: a UUIDv7, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub [u8; 16]);

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RunId({self})")
    }
}

impl RunId {
    /// The id of the run that follows this one when it closes at `at`: a UUIDv7 drawn from this id
    /// alone, and later than it, so that the runs of a workflow are listed in their order.
    #[must_use]
    pub fn successor(self, at: Timestamp) -> Self {
        const MILLIS_SHIFT: u32 = 80;
        const VERSION: u128 = 7 << 76;
        const VARIANT: u128 = 2 << 62;
        const DRAWN: u128 = (0xfff << 64) | ((1 << 62) - 1);
        let before = u128::from_be_bytes(self.0) >> MILLIS_SHIFT;
        let millis = u128::try_from(at.as_millis()).unwrap_or(0).max(before + 1) & ((1 << 48) - 1);
        let drawn = Payload(Bytes::copy_from_slice(&self.0)).digest().0 & DRAWN;
        Self((millis << MILLIS_SHIFT | VERSION | VARIANT | drawn).to_be_bytes())
    }

    /// Reads the 32 hexadecimal digits of [`Display`](fmt::Display); dashes are allowed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        uuid::Uuid::try_parse(text)
            .ok()
            .map(|uuid| Self(uuid.into_bytes()))
    }
}

/// What makes a message to a run idempotent: unique for the run's life, chosen by the sender.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
pub struct MessageId(pub String);

/// One attempt of one activity: `<run>.<n>.<attempt>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The run that scheduled the activity.
    pub run: RunId,
    /// The number of the scheduling command in the run's history.
    pub n: u64,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.run, self.n, self.attempt)
    }
}

impl TaskId {
    /// Reads the form of [`Display`](fmt::Display).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let task = Self {
            run: RunId::parse(parts.next()?)?,
            n: parts.next()?.parse().ok()?,
            attempt: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(task)
    }
}

/// The same for every attempt of an activity, over crashes and resets; a fork takes a new origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The run in which the activity was first scheduled.
    pub origin: RunId,
    /// The number of the scheduling command.
    pub n: u64,
    /// The digest of the arguments, of which the text form shows a prefix.
    pub digest: Digest,
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}.{}.{:08x}",
            self.origin,
            self.n,
            self.digest.0 >> 96
        )
    }
}
