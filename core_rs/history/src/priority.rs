//! Which of the attempts that wait leaves first.

use alloc::sync::Arc;

/// What decides the order of attempts that wait for a slot. What is absent is inherited: by an
/// activity and a child from their run, by a run from nobody.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "json", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "json", serde(default, deny_unknown_fields))]
pub struct Priority {
    /// From 1, which leaves first, to 5; [`Priority::DEFAULT_KEY`] at last.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub priority_key: Option<u8>,
    /// Whose attempt it is: those of one priority key leave in turns by this.
    #[cfg_attr(feature = "json", serde(skip_serializing_if = "Option::is_none"))]
    pub fairness_key: Option<Arc<str>>,
    /// How many turns its fairness key has for one of another; 1 at last. It belongs to the key:
    /// it is inherited only together with that.
    #[cfg_attr(
        feature = "json",
        serde(
            with = "crate::json::optional_float",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub fairness_weight: Option<f64>,
}

impl Priority {
    /// The priority key of what says nothing of it.
    pub const DEFAULT_KEY: u8 = 3;
    /// The key of what leaves first.
    pub const FIRST_KEY: u8 = 1;
    /// The key of what leaves last.
    pub const LAST_KEY: u8 = 5;

    /// Whether it says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.priority_key.is_none() && self.fairness_key.is_none() && self.fairness_weight.is_none()
    }

    /// This, with what it does not say taken from whom it inherits.
    #[must_use]
    pub fn inheriting(&self, from: &Self) -> Self {
        let (fairness_key, inherited_weight) = match &self.fairness_key {
            Some(key) => (Some(Arc::clone(key)), None),
            None => (from.fairness_key.clone(), from.fairness_weight),
        };
        Self {
            priority_key: self.priority_key.or(from.priority_key),
            fairness_key,
            fairness_weight: self.fairness_weight.or(inherited_weight),
        }
    }
}
