//! One open run, as the engine keeps it: small while it sleeps, with a machine while it is live.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use perdure_history::{
    BatchEncoder, MessageId, Parent, RunId, StartChild, Timestamp, WorkerVersion,
};
use perdure_machine::Machine;
use perdure_store::{NewRun, RateMark};
use rustc_hash::FxHashSet;

use crate::activity::Activity;
use crate::closing::ClosingRequest;
use crate::commit::Commit;
use crate::effect::ReplyTo;
use crate::input::{ActivityWord, Query};
use crate::local::Ahead;
use crate::parking::Parked;
use crate::patches::Patches;
use crate::pending::{Delivered, Pending, failed};
use crate::placement::Placement;
use crate::reset::Copy;
use crate::starts::Rival;
use crate::task::TaskReport;
use crate::versions::Versions;
use crate::wheel::WheelKey;

/// What a run is called; shared with its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) namespace: Arc<str>,
    pub(crate) workflow_id: Arc<str>,
    pub(crate) workflow_type: Arc<str>,
    pub(crate) task_queue: Arc<str>,
    /// The run in which activities were first scheduled: this run, unless it was reset.
    pub(crate) origin: RunId,
}

/// The end of the history, on which the next batch is chained.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail {
    /// The number of the last record.
    pub(crate) n: u64,
    /// When it was recorded.
    pub(crate) at: Timestamp,
    /// The hash of the last batch; unknown after a restart until something is read.
    pub(crate) hash: Option<[u8; 16]>,
}

/// What a run is doing. Only an idle one may begin something else: everything that arrives
/// meanwhile waits in [`Run::pending`].
#[derive(Debug)]
pub(crate) enum Phase {
    /// Nothing: all of it is committed.
    Idle,
    /// Its history is being read.
    Loading,
    /// The host steps it. These events are in its machine, in this order.
    Stepping(Vec<Delivered>),
    /// Its turn stays open while local activities run; see [`Run::ahead`].
    Ahead,
    /// A write is under way; on failure the run stays frozen here.
    Committing(Box<Commit>),
    /// Closed, or lost to another owner: to be forgotten.
    Gone,
}

/// A durable timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    pub(crate) fire_at: Timestamp,
    pub(crate) key: Option<WheelKey>,
}

/// One open run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) identity: Arc<Identity>,
    pub(crate) phase: Phase,
    pub(crate) tail: Tail,
    /// Present in a run that no write has created yet.
    pub(crate) create: Option<Box<NewRun>>,
    /// The id of the start message: the same start again is answered with this run.
    pub(crate) started_by: Option<MessageId>,
    /// What the stored batches share, call sites; present while the run is live.
    pub(crate) encoder: Option<BatchEncoder>,
    /// What an open turn has recorded, also while it is stepped on.
    pub(crate) ahead: Option<Box<Ahead>>,
    /// Present while the run is live and the host does not have it.
    pub(crate) machine: Option<Box<Machine>>,
    /// Whether the host has an instance.
    pub(crate) hosted: bool,
    /// What waits for a turn, by receipt.
    pub(crate) pending: VecDeque<Pending>,
    /// Whether local activities wait for an instance that can run them.
    pub(crate) wants_code: bool,
    /// Failed attempts to record; workflow code does not see them.
    pub(crate) attempt_failures: Vec<Pending>,
    /// Boxed: most runs have one or none, and a node of a map holds eleven.
    pub(crate) activities: BTreeMap<u64, Box<Activity>>,
    /// The run to which it reports; known once its start was seen.
    pub(crate) parent: Option<Box<Parent>>,
    /// Its open children; known once its history was read.
    pub(crate) children: BTreeMap<u64, Arc<StartChild>>,
    /// Activities whose indexed state changed since the last write.
    pub(crate) dirty: BTreeSet<u64>,
    /// What attempts that its next write marks as handed use of rate limits.
    pub(crate) rate_marks: Vec<RateMark>,
    pub(crate) timers: BTreeMap<u64, Timer>,
    /// Timers that are due and wait for a turn, by deadline and creation.
    pub(crate) due_timers: BTreeSet<(Timestamp, u64)>,
    pub(crate) run_timeout: Option<Timer>,
    /// Present while the run exists and is not to begin yet.
    pub(crate) delay: Option<Timer>,
    /// Whether the index still says that the run is not to begin yet.
    pub(crate) delay_over: bool,
    pub(crate) closing: Option<ClosingRequest>,
    /// Requests for a reset: the run is frozen for the first once it is idle.
    pub(crate) resets: VecDeque<MessageId>,
    /// The copy that goes on from this run, while it closes for that.
    pub(crate) copy: Option<Box<Copy>>,
    /// Of a run that is made from a copy: the run in whose inbox the request may still lie.
    pub(crate) asked_of: Option<RunId>,
    /// Messages that came after the one that closes the run.
    pub(crate) late: Vec<Delivered>,
    /// The version of the workers that it is on; absent while it is on none.
    pub(crate) placement: Option<Box<Placement>>,
    /// The version whose code the host's instance runs.
    pub(crate) live_on: Option<Arc<str>>,
    /// What that turn tells of its version, until it is recorded.
    pub(crate) stepped_as: Option<Box<WorkerVersion>>,
    /// Updates of its options that are recorded or being written; complete once it was begun or
    /// read here.
    pub(crate) moves: FxHashSet<MessageId>,
    /// The patches that it has asked for; known once it was begun or read here.
    pub(crate) patches: Patches,
    /// What ran the history as it was read; absent in a run that began in this engine.
    pub(crate) versions: Option<Box<Versions>>,
    pub(crate) parked: Option<Box<Parked>>,
    /// Why an operator holds it, while one does.
    pub(crate) paused: Option<Box<str>>,
    /// What operators said about that since the last write.
    pub(crate) pause_words: Vec<Delivered>,
    /// Whether the status row still says parked although the run goes on.
    pub(crate) unparked: bool,
    /// Whether activities wait, since a restart, for what only history has.
    pub(crate) lacks_schedules: bool,
    /// Whether the history could not be read; tried again when the parked run is.
    pub(crate) unreadable: bool,
    /// Who waits for the result.
    pub(crate) waiters: Vec<ReplyTo>,
    /// Who asks about its state, and waits until it is live and idle.
    pub(crate) queries: Vec<Query>,
    /// Who waits to hear that the run is started.
    pub(crate) start_waiters: Vec<ReplyTo>,
    /// Starts of its workflow id that wait until it is durable, or until it is gone.
    pub(crate) rivals: Vec<Rival>,
    /// Ids of the messages that history or a pending turn holds; known only while live.
    pub(crate) seen: FxHashSet<MessageId>,
    /// Doubles of messages in the turn under way, to be answered with it.
    pub(crate) doubles: Vec<Pending>,
    /// Reports that need what has still to be read.
    pub(crate) deferred: Vec<TaskReport>,
    /// Clients' words that need it.
    pub(crate) deferred_words: Vec<(ActivityWord, Delivered)>,
    /// When it was last used, as a count of uses; for eviction.
    pub(crate) used: u64,
}

impl Run {
    /// The numbers of its activities of which something holds, in order.
    pub(crate) fn activities_where(&self, holds: impl Fn(&Activity) -> bool) -> Vec<u64> {
        let found = self.activities.iter();
        found
            .filter(|(_, activity)| holds(activity))
            .map(|(command_n, _)| *command_n)
            .collect()
    }

    /// A run of which the engine knows no more than its name and how long its history is.
    pub(crate) fn new(id: RunId, identity: Arc<Identity>, last_n: u64) -> Self {
        let hash = (last_n == 0).then_some([0; 16]);
        Self {
            id,
            identity,
            phase: Phase::Idle,
            tail: Tail {
                n: last_n,
                at: Timestamp::default(),
                hash,
            },
            create: None,
            started_by: None,
            encoder: (last_n == 0).then(BatchEncoder::new),
            ahead: None,
            machine: None,
            hosted: false,
            pending: VecDeque::new(),
            wants_code: false,
            attempt_failures: Vec::new(),
            activities: BTreeMap::new(),
            parent: None,
            children: BTreeMap::new(),
            dirty: BTreeSet::new(),
            rate_marks: Vec::new(),
            timers: BTreeMap::new(),
            due_timers: BTreeSet::new(),
            run_timeout: None,
            delay: None,
            delay_over: false,
            closing: None,
            resets: VecDeque::new(),
            copy: None,
            asked_of: None,
            late: Vec::new(),
            placement: None,
            live_on: None,
            stepped_as: None,
            moves: FxHashSet::default(),
            patches: Patches::default(),
            versions: None,
            parked: None,
            paused: None,
            pause_words: Vec::new(),
            unparked: false,
            lacks_schedules: false,
            unreadable: false,
            waiters: Vec::new(),
            queries: Vec::new(),
            start_waiters: Vec::new(),
            rivals: Vec::new(),
            seen: FxHashSet::default(),
            doubles: Vec::new(),
            deferred: Vec::new(),
            deferred_words: Vec::new(),
            used: 0,
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether the run is parked and not being tried again.
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.as_ref().is_some_and(|parked| !parked.trying)
    }

    /// Whether no turn may be taken: what comes meanwhile is kept in the inbox.
    pub(crate) fn is_held(&self) -> bool {
        self.is_parked() || self.delay.is_some() || self.paused.is_some()
    }

    /// Whether the state of an activity can go to the index: not before the failure of the attempt
    /// before is recorded, which waits while the history cannot be read.
    pub(crate) fn has_indexable(&self) -> bool {
        let fails = |n: u64| {
            self.attempt_failures
                .iter()
                .any(|e| failed(&e.event) == Some(n))
        };
        self.dirty.iter().any(|n| !fails(*n))
    }

    /// Whether something waits that workflow code is to see.
    pub(crate) fn wants_turn(&self) -> bool {
        if self.paused.is_some() {
            // Nothing is delivered, but who asks about its state is answered.
            return self.parked.is_none() && self.delay.is_none() && self.wants_replay();
        }
        let trying = self.parked.as_ref().is_some_and(|parked| parked.trying);
        let waits = !self.pending.is_empty() || !self.due_timers.is_empty();
        let unseen = self.machine.is_some() && !self.attempt_failures.is_empty();
        trying || (!self.is_held() && (waits || unseen || self.wants_replay()))
    }

    /// Whether somebody asks about its state, or waits for its code, and the host has no instance.
    pub(crate) fn wants_replay(&self) -> bool {
        (!self.queries.is_empty() || self.wants_code) && !self.is_live()
    }

    /// Whether the host has an instance, and the run is not being stepped.
    pub(crate) fn is_live(&self) -> bool {
        self.hosted && self.machine.is_some()
    }
}
