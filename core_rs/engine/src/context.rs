//! What the turns of all runs share: the effects on their way out, the wheel, the slots, chance.

use std::collections::{BTreeSet, VecDeque};

use perdure_history::RunId;

use crate::asks::Post;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::EngineOptions;
use crate::eviction::RecentlyUsed;
use crate::hosted::Hosted;
use crate::random::Random;
use crate::renewal::Renewal;
use crate::reset::Copy;
use crate::routing::Routing;
use crate::slots::Slots;
use crate::starts::Rival;
use crate::tickets::Tickets;
use crate::updates::Updates;
use crate::wheel::Wheel;

/// Shared by the turns of all runs. A method that needs one run takes it as an argument.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) options: EngineOptions,
    pub(crate) effects: VecDeque<Effect>,
    /// What runs have for others, to be carried out before anything else comes in.
    pub(crate) posts: VecDeque<Post>,
    pub(crate) wheel: Wheel,
    pub(crate) slots: Slots,
    pub(crate) tickets: Tickets,
    pub(crate) random: Random,
    pub(crate) recently_used: RecentlyUsed,
    /// What the host has; absent until it has said so.
    pub(crate) hosted: Option<Hosted>,
    /// Where runs go that are not pinned to a version.
    pub(crate) routing: Routing,
    /// Whether that has changed, so that runs that wait for a version are looked at again.
    pub(crate) routing_changed: bool,
    pub(crate) draining: bool,
    /// Runs that follow ones that closed just now: begun before anything else is handled.
    pub(crate) renewals: Vec<Renewal>,
    /// Starts that waited for what became of another run, and are handled again now.
    pub(crate) rivals: Vec<Rival>,
    /// Runs that go on from a copy of ones that closed just now.
    pub(crate) copies: Vec<Copy>,
    pub(crate) updates: Updates,
    /// Runs whose places in line are not known yet, since a restart.
    pub(crate) unread: BTreeSet<RunId>,
    /// Why payloads could not be encoded: nothing more is to be written.
    pub(crate) unsealed: Option<String>,
}

impl Context {
    pub(crate) fn new(options: EngineOptions) -> Self {
        Self {
            effects: VecDeque::new(),
            posts: VecDeque::new(),
            wheel: Wheel::default(),
            slots: Slots::default(),
            tickets: Tickets::default(),
            random: Random::new(options.seed),
            recently_used: RecentlyUsed::default(),
            hosted: None,
            routing: Routing::default(),
            routing_changed: false,
            draining: false,
            renewals: Vec::new(),
            rivals: Vec::new(),
            copies: Vec::new(),
            updates: Updates::default(),
            unread: BTreeSet::new(),
            unsealed: None,
            options,
        }
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(crate) fn reply(&mut self, to: ReplyTo, reply: Reply) {
        self.effects.push_back(Effect::Reply { to, reply });
    }

    /// Reads a run's history from a record on.
    pub(crate) fn load(&mut self, run: RunId, from_n: u64) {
        self.effect(Effect::Load { run, from_n });
    }
}
