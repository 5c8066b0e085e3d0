//! How often a thing that many calls share may be used.

use alloc::sync::Arc;
use core::time::Duration;

/// At most `limit` units of a key in any span of `period`, over all runs and workers of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(deny_unknown_fields))]
pub struct RateLimit {
    /// What is shared, such as `openai:gpt-5`.
    pub key: Arc<str>,
    /// How many units of it there are.
    pub limit: u64,
    /// In how long a time.
    pub period: Duration,
    /// How many an attempt of this call uses.
    pub units: u64,
}
