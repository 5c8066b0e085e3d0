//! The one write of a turn, and what is performed once it is durable.

use std::collections::BTreeSet;
use std::sync::Arc;

use perdure_history::{Batch, Event, MessageId, Record, TaskId, Timestamp, VisibilityChange};
use perdure_machine::effect::Effect as MachineEffect;
use perdure_machine::machine::RecordedTurn;
use perdure_store::{Append, Close, InboxMessage, IndexChange, Outstanding, OutstandingKind};

use crate::activity::{Activity, Stage};
use crate::asks::{self, Post};
use crate::closing::{self, Closed};
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::indexed::{put_failed, put_reported, put_timer, recorded_failure};
use crate::message_codec;
use crate::pausing;
use crate::pending::{self, Delivered};
use crate::placement;
use crate::relations::relate;
use crate::renewal::Renewal;
use crate::reset::Copy;
use crate::routing::Told;
use crate::run::{Phase, Run, Timer};
use crate::sessions;
use crate::starts::Rival;
use crate::timeouts;
use crate::turn;
use crate::visibility;
use crate::wheel::Due;

/// The number under which the index keeps the run timeout: that of the start, never a command's.
pub(crate) const RUN_TIMEOUT_N: u64 = 1;

/// The number under which the index keeps when a run is to begin: none that a record has.
pub(crate) const START_DELAY_N: u64 = 0;

/// What a write is to hold besides what the run itself has waiting.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) records: Vec<Record>,
    /// The same as they are stored, when a codec has taken them already.
    pub(crate) stored: Vec<Record>,
    pub(crate) effects: Vec<MachineEffect>,
    /// What is known of the events among the records, or dropped by them, in order.
    pub(crate) delivered: Vec<Delivered>,
    /// Local activities that began ahead of this write, and have not ended.
    pub(crate) begun: BTreeSet<u64>,
}

impl Written {
    /// What a turn recorded.
    pub(crate) fn of_turn(turn: RecordedTurn, delivered: Vec<Delivered>) -> Self {
        Self {
            records: turn.records,
            stored: Vec::new(),
            effects: turn.effects,
            delivered,
            begun: BTreeSet::new(),
        }
    }
}

/// A write under way, and what follows once it is durable.
#[derive(Debug, Default)]
pub(crate) struct Commit {
    pub(crate) delivered: Vec<Delivered>,
    /// What the turn says of updates.
    pub(crate) updates: Vec<MachineEffect>,
    timers: Vec<u64>,
    /// Activities scheduled by this write.
    scheduled: Vec<u64>,
    /// Activities that hold a slot and may leave once this write is durable.
    reserved: Vec<u64>,
    cancelled: Vec<TaskId>,
    /// Senders of messages that this write puts into the inbox.
    pub(crate) kept: Vec<ReplyTo>,
    /// Starts that are answered by what they brought to the run: it is durable there, or in the
    /// inbox of the run that follows.
    pub(crate) carriers: Vec<Rival>,
    /// What the run has for others.
    pub(crate) posts: Vec<Post>,
    /// Messages that a closing write drops.
    pub(crate) dropped: Vec<Delivered>,
    pub(crate) closed: Option<Box<Closed>>,
    /// The run that follows the closed one.
    pub(crate) renewal: Option<Box<Renewal>>,
    /// The copy that goes on from the closed one.
    pub(crate) copy: Option<Box<Copy>>,
    /// What it says of versions of workers.
    versions: Told,
    /// The bytes, when they are to be written again.
    pub(crate) held: Option<Box<Append>>,
    /// Whether the store could not say if they were written.
    pub(crate) ambiguous: bool,
    /// How often they were written again.
    pub(crate) retries: u32,
}

impl Commit {
    /// What a start brought is durable with this write.
    pub(crate) fn keep_carrier(&mut self, about: &mut Delivered) {
        let carrier = about.carrier.take();
        self.carriers.extend(carrier.map(|start| *start));
    }

    /// Everybody who waits to hear that the write is durable.
    pub(crate) fn senders(&mut self) -> Vec<ReplyTo> {
        let delivered = self.delivered.iter_mut().chain(&mut self.dropped);
        let mut senders: Vec<_> = delivered
            .filter_map(|about| about.reply_to.take())
            .collect();
        senders.append(&mut self.kept);
        senders.extend(
            self.copy
                .take()
                .map(|copy| copy.waiters)
                .unwrap_or_default(),
        );
        let carriers = self.delivered.iter_mut().chain(&mut self.dropped);
        let carriers = carriers.filter_map(|about| about.carrier.take());
        let carriers = carriers.map(|start| *start).chain(self.carriers.drain(..));
        senders.extend(carriers.filter_map(|start| start.reply_to));
        senders
    }
}

impl Context {
    /// Writes what a run has to write, in one append; the run is frozen until it is durable.
    pub(crate) fn write(&mut self, run: &mut Run, mut written: Written, now: Timestamp) {
        let mut commit = Commit {
            delivered: std::mem::take(&mut written.delivered),
            ..Commit::default()
        };
        let mut append = self.new_append(run);
        let (creates, closes) = (append.create.is_some(), closing::closes(&written.effects));
        // First: all that begins with this write goes by the version that it tells.
        append.visibility = visibility::changed_by(run, creates, closes, &written.records);
        if closes {
            placement::hand_on(run, &mut written.records);
        }
        commit.closed = closing::closed_by(&written.effects, &written.records).map(Box::new);
        self.index_effects(
            run,
            &written.effects,
            &written.records,
            &mut append,
            &mut commit,
            now,
        );
        if commit.closed.is_none() {
            self.index_begun(run, &written.begun, &mut append);
            self.index_dirty(run, &written.records, &mut append, &mut commit);
            self.keep_status(run, written.records.is_empty(), &mut append, &mut commit);
            self.keep_messages(run, &mut append, &mut commit);
        } else {
            self.hand_on_or_drop(run, &written.effects, &mut append, &mut commit, now);
        }
        append.rates = std::mem::take(&mut run.rate_marks);
        relate(run, &written, &mut append, &mut commit, now);
        // First, since the id of an update that was rejected is not consumed.
        commit.keep_updates(run, written.effects);
        let consumed = asks::consumed(run.id, &commit, &written.records);
        append.consumed_message_ids.extend(consumed);
        commit.versions = Told::of(run, &written.records, &append.visibility);
        let stored = std::mem::take(&mut written.stored);
        self.chain_records(run, written.records, stored, &mut append);
        append.close = commit.closed.as_ref().map(|closed| Close {
            status: closing::stored(closed.status),
            closed_at: run.tail.at,
        });
        // A rejection leaves nothing, but an engine that is no longer the owner must not say it.
        let rejects = commit.rejects();
        run.phase = Phase::Committing(Box::new(commit));
        if is_empty(&append) && !rejects {
            return self.committed(run, now);
        }
        if let Err(reason) = self.options.seal.close_append(&mut append) {
            self.unsealed = Some(reason);
        }
        if self.unsealed.is_some() {
            // The run stays frozen: the engine stops before anything else is handled.
            return;
        }
        let ticket = self.tickets.issue(run.id);
        self.effect(Effect::Append {
            ticket,
            append: Box::new(append),
        });
    }

    fn new_append(&mut self, run: &mut Run) -> Append {
        let mut append = Append {
            run: run.id,
            create: run.create.as_deref().cloned(),
            expected_n: run.tail.n,
            last_n: run.tail.n,
            epoch: self.options.epoch,
            batch: None,
            index_changes: Vec::new(),
            consumed_message_ids: Vec::new(),
            inbox: Vec::new(),
            outbox: Vec::new(),
            status: None,
            visibility: VisibilityChange::default(),
            rates: Vec::new(),
            close: None,
        };
        if append.create.is_some()
            && let Some(timeout) = run.run_timeout
        {
            let due_at = timeout.fire_at;
            append.index_changes.push(put_timer(RUN_TIMEOUT_N, due_at));
        }
        if append.create.is_some()
            && let Some(delay) = run.delay
        {
            let begins_at = delay.fire_at;
            append
                .index_changes
                .push(put_timer(START_DELAY_N, begins_at));
        }
        if std::mem::take(&mut run.delay_over) {
            append.index_changes.push(IndexChange::Remove {
                command_n: START_DELAY_N,
            });
        }
        append
    }

    /// What the machine's effects change in the index, and in what the engine has outstanding.
    fn index_effects(
        &mut self,
        run: &mut Run,
        effects: &[MachineEffect],
        records: &[Record],
        append: &mut Append,
        commit: &mut Commit,
        now: Timestamp,
    ) {
        for effect in effects {
            match effect {
                MachineEffect::ScheduleActivity { command_n } => {
                    self.schedule(run, *command_n, records, append, commit, now);
                }
                MachineEffect::StartTimer { command_n, fire_at } => {
                    run.timers.insert(
                        *command_n,
                        Timer {
                            fire_at: *fire_at,
                            key: None,
                        },
                    );
                    append.index_changes.push(put_timer(*command_n, *fire_at));
                    commit.timers.push(*command_n);
                }
                MachineEffect::CancelTimer { command_n }
                | MachineEffect::TimerClosed { command_n } => {
                    if let Some(mut timer) = run.timers.remove(command_n) {
                        self.wheel.disarm(&mut timer.key);
                        run.due_timers.remove(&(timer.fire_at, *command_n));
                    }
                    append.index_changes.push(IndexChange::Remove {
                        command_n: *command_n,
                    });
                }
                MachineEffect::CancelActivity { command_n } => {
                    commit
                        .cancelled
                        .extend(self.request_cancel(run, *command_n, now));
                }
                MachineEffect::ActivityClosed { command_n } => {
                    self.drop_activity(run, *command_n);
                    append.index_changes.push(IndexChange::Remove {
                        command_n: *command_n,
                    });
                }
                _ => {}
            }
        }
    }

    /// A new activity: attempt 1 is marked handed in this very write when a slot is free.
    fn schedule(
        &mut self,
        run: &mut Run,
        command_n: u64,
        records: &[Record],
        append: &mut Append,
        commit: &mut Commit,
        now: Timestamp,
    ) {
        let Some((at, asked)) = turn::asked_in(records, command_n) else {
            return;
        };
        let at = turn::copied_at(records).unwrap_or(at);
        let line = self.line_of(run);
        let route = self.slots.route_of(asked, &line);
        let mut activity = Activity::new(Arc::clone(asked), route, at);
        activity.nonce = self.random.next_u64();
        let task = TaskId {
            run: run.id,
            n: command_n,
            attempt: 1,
        };
        let asks = (route, asked);
        if sessions::may_begin(run, &activity)
            && self.slots.try_hold(task, activity.nonce, asks, now)
        {
            activity.stage = Stage::Reserved;
            commit.reserved.push(command_n);
            self.slots.take_marks(run);
        }
        append
            .index_changes
            .push(self.put_activity(run, command_n, &activity));
        run.activities.insert(command_n, Box::new(activity));
        commit.scheduled.push(command_n);
    }

    pub(crate) fn put_activity(
        &self,
        run: &Run,
        command_n: u64,
        activity: &Activity,
    ) -> IndexChange {
        let (due_at, _) = timeouts::earliest(activity, self.options.claim_timeout);
        IndexChange::Put(Outstanding {
            command_n,
            kind: OutstandingKind::Activity,
            due_at,
            state: activity.encode(run.identity.origin),
        })
    }

    fn index_dirty(
        &mut self,
        run: &mut Run,
        records: &[Record],
        append: &mut Append,
        commit: &mut Commit,
    ) {
        for command_n in std::mem::take(&mut run.dirty) {
            // The failure of the attempt before came during the turn: it is recorded by the next
            // write, and only then may the next attempt be marked.
            if run
                .attempt_failures
                .iter()
                .any(|one| pending::failed(&one.event) == Some(command_n))
            {
                run.dirty.insert(command_n);
                continue;
            }
            let Some(activity) = run.activities.get(&command_n) else {
                continue;
            };
            if activity.stage == Stage::Reserved {
                commit.reserved.push(command_n);
            }
            // An outcome that is not durable leaves the index as it is, but for the cancel that
            // brought it about, since no further attempt may follow that, and for the failure that
            // this write records, which must not be recorded again.
            if activity.stage == Stage::Reported && !activity.cancel_requested {
                let failed = recorded_failure(records, command_n);
                append
                    .index_changes
                    .extend(failed.map(|(attempt, again_at)| {
                        let origin = run.identity.origin;
                        put_failed(command_n, activity, attempt, again_at, origin)
                    }));
                continue;
            }
            append
                .index_changes
                .push(self.put_activity(run, command_n, activity));
        }
    }

    /// The status row, when it is to say something new.
    fn keep_status(
        &mut self,
        run: &mut Run,
        alone: bool,
        append: &mut Append,
        commit: &mut Commit,
    ) {
        let parked = run.parked.as_mut().filter(|parked| !parked.trying);
        let parks = parked.is_some_and(|parked| !std::mem::replace(&mut parked.written, true));
        if std::mem::take(&mut run.unparked) || parks {
            append.status = Some(pausing::status_of(run));
        }
        if alone && !run.pause_words.is_empty() {
            pausing::keep_words(run, append, commit);
        }
    }

    /// The messages that no turn can take while the run is held.
    fn keep_messages(&mut self, run: &mut Run, append: &mut Append, commit: &mut Commit) {
        // What came with the start, or with a copy, is durable as soon as the run is.
        if !run.is_held() && append.create.is_none() {
            return;
        }
        let (id, origin) = (run.id, run.identity.origin);
        for pending in &mut run.pending {
            if pending.about.in_inbox {
                continue;
            }
            let Some(message_id) = pending.inbox_id(id) else {
                continue;
            };
            let received_at = pending.about.received_at;
            let body = message_codec::encode_event(id, &pending.event, received_at);
            let body = match self.options.seal.close_message(&body) {
                Ok(body) => body,
                Err(reason) if append.create.is_some() => {
                    return self.unsealed = Some(reason);
                }
                Err(_) => {
                    pending.about.unstorable = true;
                    continue;
                }
            };
            append.inbox.push(InboxMessage {
                run: Some(id),
                message_id: message_id.clone(),
                received_at,
                body,
            });
            if let Some(command_n) = pending::ended(&pending.event)
                && let Some(activity) = run.activities.get(&command_n)
            {
                append
                    .index_changes
                    .push(put_reported(command_n, activity, origin));
            }
            pending.about.in_inbox = true;
            pending.about.message_id = Some(message_id);
            commit.kept.extend(pending.about.reply_to.take());
            commit.keep_carrier(&mut pending.about);
        }
    }

    fn chain_records(
        &mut self,
        run: &mut Run,
        records: Vec<Record>,
        stored: Vec<Record>,
        append: &mut Append,
    ) {
        let records = match self.options.seal.finish(records, stored) {
            Ok(records) => records,
            Err(reason) => return self.unsealed = Some(reason),
        };
        let Some(last) = records.last() else {
            return;
        };
        append.last_n = last.n;
        let (last_n, last_at) = (last.n, last.at);
        let batch = Batch {
            run: run.id,
            first_n: run.tail.n + 1,
            prev_hash: run.tail.hash.unwrap_or_default(),
            epoch: self.options.epoch,
            flags: perdure_machine::flags::CURRENT,
            records,
        };
        // Without the encoder the batch holds events alone, which name no call site.
        let bytes = match &mut run.encoder {
            Some(encoder) => encoder.encode(&batch),
            None => batch.encode(),
        };
        let hash = Batch::hash(&bytes);
        append.batch = Some(bytes);
        run.tail.n = last_n;
        run.tail.at = last_at;
        run.tail.hash = Some(hash);
    }

    /// The write is durable: now, and only now, its effects leave.
    pub(crate) fn committed(&mut self, run: &mut Run, now: Timestamp) {
        let Phase::Committing(commit) = std::mem::replace(&mut run.phase, Phase::Idle) else {
            return;
        };
        let mut commit = *commit;
        self.posts.extend(commit.posts.drain(..));
        if run.create.take().is_some() {
            self.answer_start_waiters(run);
            self.rivals.append(&mut run.rivals);
            self.let_go_of_request(run);
        }
        self.answer_senders(run, &mut commit);
        self.answer_updates(run.id, std::mem::take(&mut commit.updates));
        for task in commit.cancelled {
            self.tell_cancel(task);
        }
        let ends = commit
            .closed
            .as_ref()
            .is_some_and(|closed| closed.successor.is_none());
        self.heed(run, &commit.versions, ends);
        if let Some(closed) = commit.closed {
            self.renewals.extend(commit.renewal.map(|renewal| *renewal));
            self.copies.extend(commit.copy.map(|copy| *copy));
            return self.finish_close(run, *closed, commit.dropped);
        }
        for command_n in commit.timers {
            if let Some(timer) = run.timers.get_mut(&command_n) {
                // Due since the write began: it comes before what was received since.
                if timer.fire_at <= now {
                    run.due_timers.insert((timer.fire_at, command_n));
                    continue;
                }
                let due = Due::Timer {
                    run: run.id,
                    command_n,
                };
                timer.key = self.wheel.arm(timer.fire_at, due);
            }
        }
        for command_n in commit.scheduled {
            self.enqueue_if_queued(run, command_n);
        }
        for command_n in commit.reserved {
            self.hand_out(run, command_n, now);
        }
        if run.machine.is_some() {
            run.used = self.recently_used.touch(run.id);
        }
        if commit.versions.moved {
            return self.go_on_elsewhere(run, now);
        }
        self.answer_parked(run);
        self.advance(run, now);
    }

    pub(crate) fn answer_start_waiters(&mut self, run: &mut Run) {
        for to in run.start_waiters.drain(..) {
            let reply = Reply::Started { run: run.id };
            self.effects.push_back(Effect::Reply { to, reply });
        }
    }

    fn answer_senders(&mut self, run: &mut Run, commit: &mut Commit) {
        for delivered in &mut commit.delivered {
            let carrier = delivered.carrier.take();
            commit.carriers.extend(carrier.map(|start| *start));
            if let Some(to) = delivered.reply_to.take() {
                self.reply(to, Reply::Accepted);
            }
        }
        for to in commit.kept.drain(..) {
            self.reply(to, Reply::Accepted);
        }
        for mut double in std::mem::take(&mut run.doubles) {
            commit.keep_carrier(&mut double.about);
            if let Some(to) = double.about.reply_to {
                self.reply(to, Reply::Accepted);
            }
            if let Event::UpdateAccepted { message_id, .. } = double.event {
                self.find_update(run.id, message_id);
            }
            // Of a message that is parked in the inbox, the double must not take it out of there.
            let waits = |id: &MessageId| {
                let mut pending = run.pending.iter();
                pending.any(|other| other.about.message_id.as_ref() == Some(id))
            };
            if let Some(message_id) = double.about.message_id.filter(|id| !waits(id)) {
                let run = Some(run.id);
                self.effect(Effect::Consumed { run, message_id });
            }
        }
        for start in commit.carriers.drain(..) {
            self.taken_by(run.id, start);
        }
    }
}

fn is_empty(append: &Append) -> bool {
    append.create.is_none()
        && append.batch.is_none()
        && append.index_changes.is_empty()
        && append.consumed_message_ids.is_empty()
        && append.inbox.is_empty()
        && append.outbox.is_empty()
        && append.status.is_none()
        && append.rates.is_empty()
        && append.close.is_none()
}
