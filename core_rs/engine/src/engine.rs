//! The engine's logic: handles inputs at a given time, and gives effects.

use std::time::Duration;

use perdure_history::Timestamp;
use perdure_store::Recovery;

use crate::effect::Effect;
use crate::input::Input;

/// Limits and waits, each with its default.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// The namespace; `default` by default.
    pub namespace: String,
    /// Most live runs; 10,000 by default.
    pub maximum_cached_runs: usize,
    /// Most local activities at once; 200 by default.
    pub maximum_concurrent_activities: usize,
    /// Most events one turn delivers; 1,000 (design law 2).
    pub maximum_turn_events: usize,
    /// How long after a restart a remote worker may take to claim its task; 15 s.
    pub claim_timeout: Duration,
    /// The waits between tries of a parked run: from 10 s to 10 min.
    pub park_backoff: (Duration, Duration),
    /// The epoch this owner writes under.
    pub epoch: u64,
    /// The seed of jitter and nonces.
    pub seed: u64,
    /// How long closed runs are kept; 30 days by default, `None` for ever.
    pub retention: Option<Duration>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    options: EngineOptions,
}

#[expect(unused_variables, clippy::todo, reason = "signatures first; the owner fills them in")]
impl Engine {
    /// An engine that goes on from what the store recovered.
    #[must_use]
    pub fn new(options: EngineOptions, recovery: Recovery, now: Timestamp) -> Self {
        Self { options }
    }

    /// Handles one input. Before anything received at `now`, all that is due by `now` is handled.
    pub fn handle_input(&mut self, now: Timestamp, input: Input) {
        todo!()
    }

    /// Handles everything due by `now`.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        todo!()
    }

    /// The next thing to perform.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        todo!()
    }

    /// When [`Engine::handle_timeout`] next has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        todo!()
    }
}
