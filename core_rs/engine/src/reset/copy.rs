//! A run that begins with a copied history: handed over by the write that closes the old run, and
//! made by one write of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use perdure_history::{
    Event, IdReusePolicy, MessageId, Record, RunId, RunStarted, Timestamp, reset,
};
use perdure_machine::effect::Effect as MachineEffect;
use perdure_store::{Append, InboxMessage, NewRun};

use super::codec;
use super::plan::Open;
use crate::commit::{Commit, Written};
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::pending::{self, Delivered, Pending};
use crate::renewal;
use crate::run::{Identity, Run, Timer};
use crate::wheel::Due;

/// A run to be made, with its history so far.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) run: RunId,
    /// The request's id, by which the run is known to be made.
    pub(crate) message_id: MessageId,
    pub(crate) records: Vec<Record>,
    /// What its next turns deliver.
    pub(crate) messages: Vec<Pending>,
    /// Activities that are outstanding in it and whose outcome its next turns deliver.
    pub(crate) ended: BTreeSet<u64>,
    /// Whether it takes over what no turn of the old run has taken.
    pub(crate) keeps_messages: bool,
    pub(crate) waiters: Vec<ReplyTo>,
    /// The run in whose inbox the request may still lie.
    pub(crate) asked_of: Option<RunId>,
}

impl Copy {
    /// The copy that a message in the inbox holds, and whose outcomes lie there with it.
    pub(crate) fn of_message(
        run: RunId,
        message_id: MessageId,
        records: Vec<Record>,
        ended: BTreeSet<u64>,
    ) -> Self {
        Self {
            run,
            message_id,
            records,
            messages: Vec::new(),
            ended,
            keeps_messages: true,
            waiters: Vec::new(),
            asked_of: None,
        }
    }

    /// Whether the new run takes over what no turn of the old one has taken. An outcome is one of
    /// work that was done: it is not done again, unless what asked for it is behind the point.
    fn takes_over(&mut self, open: &Open, event: &Event) -> bool {
        match pending::ended(event) {
            Some(command_n) => open.activities.contains(&command_n) && self.ended.insert(command_n),
            None => self.keeps_messages && is_message(event),
        }
    }

    /// What the old run says of its end.
    pub(super) fn closing_reason(&self) -> String {
        let Some((n, reset)) = reset::resets(&self.records).last() else {
            return String::new();
        };
        let run = self.run;
        let reason = &reset.reason;
        if reason.is_empty() {
            format!("reset to event {n}: it goes on as run {run}")
        } else {
            format!("reset to event {n}: it goes on as run {run} ({reason})")
        }
    }
}

impl Context {
    /// What the closing write of a run says of the copy that goes on from it.
    pub(crate) fn hand_over(
        &mut self,
        run: &mut Run,
        append: &mut Append,
        commit: &mut Commit,
        now: Timestamp,
    ) {
        let Some(mut copy) = run.copy.take() else {
            return;
        };
        append.outbox.push(InboxMessage {
            run: None,
            message_id: copy.message_id.clone(),
            received_at: now,
            body: codec::encode_copy(copy.run, &copy.records),
        });
        for pending in &mut copy.messages {
            append.outbox.extend(kept(copy.run, pending));
        }
        let open = Open::of(&copy.records);
        for mut pending in run.pending.drain(..) {
            if !copy.takes_over(&open, &pending.event) {
                commit.dropped.push(pending.about);
                continue;
            }
            append.outbox.extend(kept(copy.run, &mut pending));
            commit.kept.extend(pending.about.reply_to.take());
            commit.keep_carrier(&mut pending.about);
            // Out of the old run's inbox it is taken once the write is durable.
            commit.dropped.push(Delivered {
                asker: None,
                ..pending.about.clone()
            });
            copy.messages.push(pending);
        }
        commit.copy = Some(copy);
    }

    /// Makes a run that begins with these records.
    fn write_copy(
        &mut self,
        run: &mut Run,
        records: Vec<Record>,
        ended: &BTreeSet<u64>,
        now: Timestamp,
    ) {
        let open = Open::of(&records);
        // What is told of a call taken back before the point comes before all else, also before
        // timers that are due by now.
        let begun_at = records.first().map_or(now, |first| first.at);
        for command_n in open.cancelling.difference(ended) {
            let event = Event::ActivityCancelled {
                command_n: *command_n,
                attempt: 0,
                details: None,
            };
            run.pending.push_front(Pending::internal(event, begun_at));
        }
        let activities = open.activities.iter();
        let activities = activities
            .filter(|n| !ended.contains(n) && !open.cancelling.contains(n))
            .map(|command_n| MachineEffect::ScheduleActivity {
                command_n: *command_n,
            });
        let timers = open
            .timers
            .iter()
            .map(|(n, fire_at)| MachineEffect::StartTimer {
                command_n: *n,
                fire_at: *fire_at,
            });
        let written = Written {
            effects: activities.chain(timers).collect(),
            records,
            ..Written::default()
        };
        self.write(run, written, now);
    }
}

impl Engine {
    /// Makes the runs that go on from ones that closed just now.
    pub(crate) fn make_copies(&mut self, now: Timestamp) {
        for copy in std::mem::take(&mut self.context.copies) {
            self.make_copy(copy, now);
        }
    }

    /// Answers a request that has made this run.
    pub(super) fn answer_made(&mut self, run: RunId, to: ReplyTo) {
        self.with_run(run, |context, run| {
            run.start_waiters.push(to);
            if run.create.is_none() {
                context.answer_start_waiters(run);
            }
        });
    }

    /// Makes a run, unless there is one of its name.
    pub(crate) fn make_copy(&mut self, copy: Copy, now: Timestamp) {
        if self.runs.contains(copy.run) {
            for to in copy.waiters {
                self.answer_made(copy.run, to);
            }
            return;
        }
        let Some(started) = RunStarted::of_history(&copy.records) else {
            return;
        };
        let namespace: Arc<str> = Arc::from(started.namespace.as_str());
        let workflow_id: Arc<str> = Arc::from(started.workflow_id.as_str());
        if let Some(open) = self.runs.find(&namespace, &workflow_id) {
            for to in copy.waiters {
                self.context.reply(to, Reply::AlreadyStarted { run: open });
            }
            for run in [None].into_iter().chain(copy.asked_of.map(Some)) {
                let message_id = copy.message_id.clone();
                self.context.effect(Effect::Consumed { run, message_id });
            }
            return;
        }
        let mut run = Run::new(
            copy.run,
            Arc::new(Identity {
                namespace,
                workflow_id,
                workflow_type: Arc::clone(&started.workflow_type),
                task_queue: Arc::from(started.task_queue.as_str()),
                origin: started.origin,
            }),
            0,
        );
        run.create = Some(Box::new(new_run(&started, &copy.message_id, now)));
        run.started_by = Some(copy.message_id);
        run.asked_of = copy.asked_of;
        run.start_waiters.extend(copy.waiters);
        run.pending.extend(copy.messages);
        let mut chain = started.chain.clone();
        chain.begins_at = None;
        if let Some(fire_at) = renewal::deadline(started.run_timeout, &chain, now) {
            let due = Due::RunTimeout { run: run.id };
            let key = self.context.wheel.arm(fire_at, due);
            run.run_timeout = Some(Timer { fire_at, key });
        }
        let (id, records, ended) = (run.id, copy.records, copy.ended);
        self.runs.insert(run);
        self.with_run(id, |context, run| {
            context.write_copy(run, records, &ended, now);
            // Known only now: its parent knows of the child since the old run began.
            run.parent = started.parent.map(Box::new);
        });
    }
}

fn new_run(started: &RunStarted, message_id: &MessageId, now: Timestamp) -> NewRun {
    NewRun {
        namespace: started.namespace.clone(),
        workflow_id: started.workflow_id.clone(),
        workflow_type: started.workflow_type.to_string(),
        task_queue: started.task_queue.clone(),
        message_id: message_id.clone(),
        started_at: now,
        reuse: IdReusePolicy::default(),
    }
}

/// Whether this is a message that a new run is told as well.
fn is_message(event: &Event) -> bool {
    matches!(
        event,
        Event::SignalReceived { .. } | Event::UpdateAccepted { .. }
    )
}

/// A message as the inbox of the new run has it from this write on.
fn kept(to: RunId, pending: &mut Pending) -> Option<InboxMessage> {
    let message_id = pending.inbox_id(to)?;
    pending.about.message_id = Some(message_id.clone());
    pending.about.in_inbox = true;
    let received_at = pending.about.received_at;
    Some(InboxMessage {
        run: Some(to),
        message_id,
        received_at,
        body: crate::message_codec::encode_event(to, &pending.event, received_at),
    })
}
