//! Names of things: runs, messages, tasks, and the key that makes an effect idempotent.

use alloc::string::String;
use core::fmt;

use crate::payload::Digest;

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
