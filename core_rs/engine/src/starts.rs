//! Starts: each makes one run, however often it is sent, unless its workflow id is taken.
//!
//! A start that ends the open run of its id lies in the outbox of the very write that closes that
//! run: a crash finds either the old run open, and the start is sent or read again, or the start in
//! the inbox, where the next engine finds it. It is handled again once the old run is gone, however
//! that closed. A start that finds a run which is not yet durable waits for what comes of it.
//!
//! What a start brings along, a signal or an update, goes to the open run that keeps the id. The
//! start stays in the inbox, and its sender unanswered, until that is durable; when the run closes
//! without having taken it, the start is handled again.

use std::sync::Arc;

use perdure_history::{Event, IdConflictPolicy, MessageId, RunId, StartSignal, Timestamp};
use perdure_store::{Append, InboxMessage, NewRun, StoreError};

use crate::closing::ClosingRequest;
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::input::{MessageBody, StartRun, StartUpdate, UpdateStage};
use crate::message_codec;
use crate::messages::{brought, start_event};
use crate::pending::Delivered;
use crate::placement::Placement;
use crate::renewal;
use crate::run::{Identity, Run, Timer};
use crate::updates::NewUpdate;
use crate::wheel::Due;

/// A start whose workflow id another run has, until it is known what comes of that.
#[derive(Clone, Debug)]
pub(crate) struct Rival {
    pub(crate) message_id: MessageId,
    pub(crate) reply_to: Option<ReplyTo>,
    pub(crate) start: Box<StartRun>,
}

/// A start whose workflow id is taken, while the store is asked what its message has made.
#[derive(Debug)]
pub(crate) struct StartQuestion {
    /// The run that had the id.
    open: RunId,
    rival: Rival,
}

impl Engine {
    /// Begins a run. The write that holds its first turn creates it; the sender hears after that.
    pub(crate) fn start(
        &mut self,
        message_id: MessageId,
        reply_to: Option<ReplyTo>,
        start: &StartRun,
        now: Timestamp,
    ) {
        let namespace: Arc<str> = Arc::from(start.namespace.as_str());
        let workflow_id: Arc<str> = Arc::from(start.workflow_id.as_str());
        if let Some(open) = self.runs.find(&namespace, &workflow_id) {
            let rival = Rival {
                message_id,
                reply_to,
                start: Box::new(start.clone()),
            };
            return self.start_taken(open, rival);
        }
        if let Some(why) = self.refuses_start(start) {
            return self.refuse_start(reply_to, why);
        }
        let chain = start.chain.begun(now);
        let identity = Identity {
            namespace,
            workflow_id,
            workflow_type: Arc::clone(&start.workflow_type),
            task_queue: Arc::from(start.task_queue.as_str()),
            origin: start.run,
        };
        let mut run = Run::new(start.run, Arc::new(identity), 0);
        run.create = Some(Box::new(new_run(&message_id, start, now)));
        run.start_waiters.extend(reply_to);
        run.pending
            .push_back(start_event(&message_id, start, false, now));
        run.pending
            .extend(start.update.as_ref().map(|update| brought(update, now)));
        if let Some(fire_at) = renewal::deadline(start.run_timeout, &chain, now) {
            let key = self
                .context
                .wheel
                .arm(fire_at, Due::RunTimeout { run: run.id });
            run.run_timeout = Some(Timer { fire_at, key });
        }
        self.context.delay(&mut run, chain, now);
        run.started_by = Some(message_id);
        run.parent = start.parent.clone().map(Box::new);
        run.placement = Placement::of_start(&start.chain);
        let id = run.id;
        self.runs.insert(run);
        self.with_run(id, |context, run| context.advance(run, now));
    }

    /// A start whose workflow id an open run has: it made that run, or one before, or its policy
    /// decides. What memory does not know of messages from before a restart, the store does.
    fn start_taken(&mut self, open: RunId, rival: Rival) {
        let Some(run) = self.runs.get_mut(open) else {
            return;
        };
        let start = &rival.start;
        let is_durable = run.create.is_none();
        if run.id == start.run || run.started_by.as_ref() == Some(&rival.message_id) {
            run.start_waiters.extend(rival.reply_to);
            if is_durable {
                self.context.answer_start_waiters(run);
                self.start_is_settled(rival.message_id);
            }
            return;
        }
        if !is_durable {
            run.rivals.push(rival);
        } else if rival.reply_to.is_none()
            && !start.brings_something()
            && start.id_policy.conflict != IdConflictPolicy::TerminateExisting
        {
            self.start_is_settled(rival.message_id);
        } else {
            let message_id = rival.message_id.clone();
            let asked = self.start_questions.entry(message_id.clone()).or_default();
            asked.push(StartQuestion { open, rival });
            if asked.len() == 1 {
                self.context.effect(Effect::FindStart { message_id });
            }
        }
    }

    /// The store has said whether a start made a run.
    pub(crate) fn start_found(
        &mut self,
        message_id: &MessageId,
        outcome: &Result<Option<RunId>, StoreError>,
        now: Timestamp,
    ) {
        let asked = self.start_questions.remove(message_id).unwrap_or_default();
        for StartQuestion { open, rival } in asked {
            let to = rival.reply_to;
            match outcome {
                Ok(Some(run)) => {
                    self.start_is_settled(rival.message_id);
                    self.reply_start(to, Reply::Started { run: *run });
                }
                Ok(None) => self.settle_conflict(open, rival, now),
                Err(error @ StoreError::Damaged { .. }) => {
                    let (run, reason) = (rival.start.run, error.to_string());
                    self.reply_start(to, Reply::Damaged { run, reason });
                }
                Err(error) => {
                    let reason = bytes::Bytes::from(error.to_string());
                    self.reply_start(to, Reply::Refused { reason });
                }
            }
        }
    }

    /// Does what the policy of a start says about the open run that has its workflow id.
    fn settle_conflict(&mut self, open: RunId, rival: Rival, now: Timestamp) {
        let policy = rival.start.id_policy.conflict;
        if !self.runs.contains(open) {
            // The id has become free meanwhile.
            self.start(rival.message_id, rival.reply_to, &rival.start, now);
        } else if policy == IdConflictPolicy::TerminateExisting {
            if let Some(why) = self.refuses_start(&rival.start) {
                return self.refuse_start(rival.reply_to, why);
            }
            self.replace(open, rival, now);
        } else if rival.start.brings_something() {
            self.bring(open, rival, now);
        } else {
            self.context.taken_by(open, rival);
        }
    }

    /// The open run takes what a start brought, the signal first.
    fn bring(&mut self, open: RunId, rival: Rival, now: Timestamp) {
        let signal = rival.start.signal.clone();
        let update = rival.start.update.clone();
        let message_id = rival.message_id.clone();
        let mut carrier = Some(Box::new(rival));
        if let Some(StartSignal { name, arguments }) = signal {
            let event = Event::SignalReceived {
                message_id: message_id.clone(),
                name,
                arguments,
            };
            let about = Delivered {
                received_at: now,
                message_id: Some(message_id),
                // What comes last is durable last.
                carrier: carrier.take_if(|_| update.is_none()),
                ..Delivered::default()
            };
            self.deliver(open, event, about, now);
        }
        if let Some(StartUpdate {
            id,
            name,
            arguments,
        }) = update
        {
            let brought = NewUpdate {
                run: open,
                name,
                arguments,
                stage: UpdateStage::default(),
                carrier,
            };
            self.update(id, brought, None, now, now);
        }
    }

    /// Ends a run without running its code, for another to take its place.
    fn replace(&mut self, open: RunId, rival: Rival, now: Timestamp) {
        let request = ClosingRequest::Terminate {
            message_id: MessageId(format!("{}.replaces", rival.message_id.0)),
            reason: format!("replaced by run {}", rival.start.run),
            reply_to: None,
            next_run_id: None,
        };
        self.with_run(open, |context, run| {
            run.rivals.push(rival);
            if run.closing.is_none() {
                context.close_soon(run, request, now);
            }
        });
    }

    /// Handles the starts again that waited for what became of another run.
    pub(crate) fn start_again(&mut self, now: Timestamp) {
        if self.stopped().is_some() {
            return;
        }
        for rival in std::mem::take(&mut self.context.rivals) {
            self.start(rival.message_id, rival.reply_to, &rival.start, now);
        }
    }

    /// Begins what lay in the inbox at a restart, where the store gives no start that has made a
    /// run. What it brings has its place among the messages of the open run.
    pub(crate) fn start_recovered(
        &mut self,
        message_id: MessageId,
        start: &StartRun,
        now: Timestamp,
    ) {
        let namespace: Arc<str> = Arc::from(start.namespace.as_str());
        let workflow_id: Arc<str> = Arc::from(start.workflow_id.as_str());
        let open = self.runs.find(&namespace, &workflow_id);
        let open = open.and_then(|open| self.runs.get(open));
        let ends_it = start.id_policy.conflict == IdConflictPolicy::TerminateExisting;
        match open.filter(|run| run.create.is_none() && !ends_it) {
            Some(run) => {
                let (open, start) = (run.id, Box::new(start.clone()));
                let rival = Rival {
                    message_id,
                    reply_to: None,
                    start,
                };
                self.settle_conflict(open, rival, now);
            }
            None => self.start(message_id, None, start, now),
        }
    }

    fn refuses_start(&self, start: &StartRun) -> Option<&'static str> {
        if self.context.draining {
            Some("the engine is shutting down: send the start again")
        } else if self.runs.contains(start.run) {
            Some("the run id is taken by another workflow: make a new one")
        } else {
            None
        }
    }

    fn refuse_start(&mut self, to: Option<ReplyTo>, why: &'static str) {
        let reason = bytes::Bytes::from_static(why.as_bytes());
        self.reply_start(to, Reply::Refused { reason });
    }

    fn reply_start(&mut self, to: Option<ReplyTo>, reply: Reply) {
        if let Some(to) = to {
            self.context.reply(to, reply);
        }
    }

    /// A start makes no run any more: it leaves the inbox.
    fn start_is_settled(&mut self, message_id: MessageId) {
        self.context.effect(Effect::Consumed {
            run: None,
            message_id,
        });
    }
}

impl Context {
    /// An open run stands for the one that a start asked for, and has what it brought.
    pub(crate) fn taken_by(&mut self, open: RunId, start: Rival) {
        if let Some(to) = start.reply_to {
            let reply = match start.start.id_policy.conflict {
                IdConflictPolicy::UseExisting => Reply::Started { run: open },
                _ => Reply::AlreadyStarted { run: open },
            };
            self.reply(to, reply);
        }
        let (run, message_id) = (None, start.message_id);
        self.effect(Effect::Consumed { run, message_id });
    }
}

fn new_run(message_id: &MessageId, start: &StartRun, now: Timestamp) -> NewRun {
    NewRun {
        namespace: start.namespace.clone(),
        workflow_id: start.workflow_id.clone(),
        workflow_type: start.workflow_type.to_string(),
        task_queue: start.task_queue.clone(),
        message_id: message_id.clone(),
        started_at: now,
        reuse: start.id_policy.reuse,
    }
}

/// Puts the starts that end a run into the write that closes it.
pub(crate) fn keep_rivals(run: &Run, append: &mut Append, now: Timestamp) {
    let ends =
        |rival: &&Rival| rival.start.id_policy.conflict == IdConflictPolicy::TerminateExisting;
    for rival in run.rivals.iter().filter(ends) {
        let body = MessageBody::Start(rival.start.clone());
        append.outbox.extend(
            message_codec::encode_message(&rival.message_id, &body, now).map(|body| InboxMessage {
                run: None,
                message_id: rival.message_id.clone(),
                received_at: now,
                body,
            }),
        );
    }
}
