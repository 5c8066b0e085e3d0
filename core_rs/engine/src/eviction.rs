//! Which live runs to drop when there are too many: the least recently used of the idle ones.

use std::collections::VecDeque;

use perdure_history::RunId;
use rustc_hash::FxHashSet;

use crate::context::Context;
use crate::effect::Effect;
use crate::engine::Engine;
use crate::run::Run;

/// Uses in order. An entry is stale when its run was used again since; stale ones are skipped, and
/// swept out before they outnumber the rest.
#[derive(Debug, Default)]
pub(crate) struct RecentlyUsed {
    uses: VecDeque<(RunId, u64)>,
    count: u64,
    live: usize,
}

impl RecentlyUsed {
    /// Notes a use; the run keeps the number it gets.
    pub(crate) fn touch(&mut self, run: RunId) -> u64 {
        self.count += 1;
        self.uses.push_back((run, self.count));
        self.count
    }

    /// The oldest use.
    pub(crate) fn pop_oldest(&mut self) -> Option<(RunId, u64)> {
        self.uses.pop_front()
    }

    /// Whether stale entries outnumber the live runs by far.
    pub(crate) fn wants_sweep(&self) -> bool {
        self.uses.len() > 64 + 4 * self.live
    }

    /// Keeps the entries that are not stale.
    pub(crate) fn sweep(&mut self, is_current: impl Fn(RunId, u64) -> bool) {
        self.uses.retain(|(run, used)| is_current(*run, *used));
    }

    /// A run became live.
    pub(crate) fn enter(&mut self) {
        self.live += 1;
    }

    /// A run is no longer live.
    pub(crate) fn leave(&mut self) {
        self.live = self.live.saturating_sub(1);
    }

    /// How many runs are live.
    pub(crate) fn live(&self) -> usize {
        self.live
    }
}

impl Context {
    /// Drops the host's instance and machine of an idle run, all of which is committed.
    pub(crate) fn evict(&mut self, run: &mut Run) {
        debug_assert!(run.ahead.is_none(), "an open turn is written first");
        if run.hosted {
            self.effect(Effect::Evict { run: run.id });
        }
        self.forget_live(run);
    }

    /// Drops what only a live run has; its committed state stays in the store, and what waits
    /// stays in `pending`.
    pub(crate) fn forget_live(&mut self, run: &mut Run) {
        self.forget_machine(run);
        if run.hosted {
            run.hosted = false;
            self.recently_used.leave();
        }
    }

    /// Drops the machine alone: the host still has its instance.
    pub(crate) fn forget_machine(&mut self, run: &mut Run) {
        run.machine = None;
        run.encoder = None;
        run.seen = FxHashSet::default();
    }
}

impl Engine {
    /// Evicts the least recently used idle runs, this many.
    pub(crate) fn evict_oldest(&mut self, count: usize) {
        let mut left = count;
        let mut kept = Vec::new();
        while left > 0 {
            let Some((id, used)) = self.context.recently_used.pop_oldest() else {
                break;
            };
            let Self { context, runs, .. } = self;
            let Some(run) = runs.get_mut(id) else {
                continue;
            };
            if run.used != used || !run.is_idle() || run.machine.is_none() {
                continue;
            }
            if run.is_at_work_locally() {
                kept.push(id);
            } else {
                context.evict(run);
                left -= 1;
            }
        }
        for id in kept {
            let Self { context, runs, .. } = self;
            if let Some(run) = runs.get_mut(id) {
                run.used = context.recently_used.touch(id);
            }
        }
    }

    /// Keeps the live runs within their limit.
    pub(crate) fn evict_surplus(&mut self) {
        let live = self.context.recently_used.live();
        let limit = self.context.options.maximum_cached_runs;
        if live > limit {
            self.evict_oldest(live - limit);
        }
        if self.context.recently_used.wants_sweep() {
            let Self { context, runs, .. } = self;
            let current = |id, used| runs.get(id).is_some_and(|run: &Run| run.used == used);
            context.recently_used.sweep(current);
        }
    }
}
