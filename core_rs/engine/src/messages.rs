//! Clients' messages: each is answered, and answered only when what it says is durable.

use std::sync::Arc;

use perdure_history::{Event, MessageId, RunId, Timestamp};
use perdure_store::{NewRun, StoreError};

use crate::closing::ClosingRequest;
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::input::{ActivityWord, Message, MessageBody, StartRun};
use crate::loading::{LAST_RECORD, Lookup};
use crate::message_codec;
use crate::pending::{Delivered, Pending};
use crate::renewal;
use crate::run::{Identity, Run, Timer};
use crate::updates::NewUpdate;
use crate::wheel::Due;

/// A start whose workflow id is taken, while the store is asked.
#[derive(Debug)]
pub(crate) struct StartQuestion {
    to: ReplyTo,
    /// The run that had the id.
    open: RunId,
    start: StartRun,
}

impl Engine {
    /// Handles a message that was received at an instant not after `now`.
    pub(crate) fn handle_message(
        &mut self,
        message: Message,
        received_at: Timestamp,
        now: Timestamp,
    ) {
        let Message {
            message_id,
            reply_to,
            body,
        } = message;
        match body {
            MessageBody::Start(start) => self.start(message_id, reply_to, &start, false, now),
            MessageBody::AwaitResult { run } => {
                let found = self.with_run(run, |context, run| {
                    run.waiters.extend(reply_to);
                    context.answer_parked(run);
                });
                if found.is_none() {
                    self.look_up(run, reply_to, true);
                }
            }
            MessageBody::Query {
                run,
                name,
                arguments,
            } => self.query(run, reply_to, name, arguments, now),
            MessageBody::Unpark { run } => self.unpark(run, message_id, reply_to, now),
            MessageBody::Terminate { run, reason } => {
                self.terminate(run, message_id, reason, reply_to, now);
            }
            MessageBody::Activity(word) => {
                let about = about(message_id, reply_to, received_at);
                self.hear(*word, about, now);
            }
            MessageBody::Signal {
                run,
                name,
                arguments,
            } => {
                let event = Event::SignalReceived {
                    message_id: message_id.clone(),
                    name,
                    arguments,
                };
                let about = about(message_id, reply_to, received_at);
                self.deliver(run, event, about, now);
            }
            MessageBody::Update {
                run,
                name,
                arguments,
                stage,
            } => {
                let update = NewUpdate {
                    run,
                    name,
                    arguments,
                    stage,
                };
                self.update(message_id, update, reply_to, received_at, now);
            }
            MessageBody::AwaitUpdate { run, update } => self.await_update(run, update, reply_to),
            MessageBody::Cancel { run, reason } => {
                let event = Event::CancelRequested {
                    message_id: message_id.clone(),
                    reason,
                };
                let about = about(message_id, reply_to, received_at);
                self.deliver(run, event, about, now);
            }
        }
    }

    fn terminate(
        &mut self,
        run: RunId,
        message_id: MessageId,
        reason: String,
        reply_to: Option<ReplyTo>,
        now: Timestamp,
    ) {
        let request = ClosingRequest::Terminate {
            message_id: message_id.clone(),
            reason,
            reply_to,
        };
        let found = self.with_run(run, |context, run| {
            context.close_soon(run, request, now);
        });
        if found.is_none() {
            self.refuse_closed(run, message_id, reply_to);
        }
    }

    /// Puts a message in line for the run's next turn.
    fn deliver(&mut self, run: RunId, event: Event, about: Delivered, now: Timestamp) {
        if self.runs.contains(run) {
            self.with_run(run, |context, run| {
                run.pending.push_back(Pending { event, about });
                context.advance(run, now);
            });
        } else if let Some(message_id) = about.message_id {
            self.refuse_closed(run, message_id, about.reply_to);
        }
    }

    fn unpark(
        &mut self,
        run: RunId,
        message_id: MessageId,
        reply_to: Option<ReplyTo>,
        now: Timestamp,
    ) {
        let found = self.with_run(run, |context, run| context.try_again(run, now));
        match (found, reply_to) {
            (None, _) => self.refuse_closed(run, message_id, reply_to),
            (Some(()), Some(to)) => self.context.reply(to, Reply::Accepted),
            (Some(()), None) => {
                let run = Some(run);
                self.context.effect(Effect::Consumed { run, message_id });
            }
        }
    }

    /// Begins a run. The write that holds its first turn creates it; the sender hears after that.
    pub(crate) fn start(
        &mut self,
        message_id: MessageId,
        reply_to: Option<ReplyTo>,
        start: &StartRun,
        in_inbox: bool,
        now: Timestamp,
    ) {
        let namespace: Arc<str> = Arc::from(start.namespace.as_str());
        let workflow_id: Arc<str> = Arc::from(start.workflow_id.as_str());
        if let Some(open) = self.runs.find(&namespace, &workflow_id) {
            return self.start_taken(open, message_id, reply_to, start);
        }
        if let Some(why) = self.refuses_start(start) {
            if let Some(to) = reply_to {
                let reason = bytes::Bytes::from_static(why.as_bytes());
                self.context.reply(to, Reply::Refused { reason });
            }
            return;
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
        run.create = Some(Box::new(NewRun {
            namespace: start.namespace.clone(),
            workflow_id: start.workflow_id.clone(),
            workflow_type: start.workflow_type.to_string(),
            task_queue: start.task_queue.clone(),
            message_id: message_id.clone(),
            started_at: now,
        }));
        run.start_waiters.extend(reply_to.map(|to| (to, true)));
        run.pending
            .push_back(start_event(&message_id, start, in_inbox, now));
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
        let id = run.id;
        self.runs.insert(run);
        self.with_run(id, |context, run| context.advance(run, now));
    }

    /// A start whose workflow id an open run has: it made that run, or one before, or it is late.
    /// What memory does not know of messages from before a restart, the store does.
    fn start_taken(
        &mut self,
        open: RunId,
        message_id: MessageId,
        reply_to: Option<ReplyTo>,
        start: &StartRun,
    ) {
        let made_it = self.with_run(open, |_, run| {
            run.id == start.run || run.started_by.as_ref() == Some(&message_id)
        });
        if let Some(to) = reply_to {
            if made_it == Some(true) {
                self.answer_start(open, to, true);
            } else {
                let asked = self.start_questions.entry(message_id.clone()).or_default();
                asked.push(StartQuestion {
                    to,
                    open,
                    start: start.clone(),
                });
                if asked.len() == 1 {
                    let message_id = message_id.clone();
                    self.context.effect(Effect::FindStart { message_id });
                }
            }
        }
        self.context.effect(Effect::Consumed {
            run: None,
            message_id,
        });
    }

    fn answer_start(&mut self, open: RunId, to: ReplyTo, same: bool) -> Option<()> {
        self.with_run(open, |context, run| {
            run.start_waiters.push((to, same));
            if run.create.is_none() {
                context.answer_start_waiters(run);
            }
        })
    }

    /// The store has said whether a start made a run.
    pub(crate) fn start_found(
        &mut self,
        message_id: &MessageId,
        outcome: &Result<Option<RunId>, StoreError>,
        now: Timestamp,
    ) {
        let asked = self.start_questions.remove(message_id).unwrap_or_default();
        for StartQuestion { to, open, start } in asked {
            match outcome {
                Ok(Some(run)) => self.context.reply(to, Reply::Started { run: *run }),
                Ok(None) => {
                    if self.answer_start(open, to, false).is_none() {
                        // The id has become free meanwhile.
                        self.start(message_id.clone(), Some(to), &start, false, now);
                    }
                }
                Err(error @ StoreError::Damaged { .. }) => {
                    let (run, reason) = (start.run, error.to_string());
                    self.context.reply(to, Reply::Damaged { run, reason });
                }
                Err(error) => {
                    let reason = bytes::Bytes::from(error.to_string());
                    self.context.reply(to, Reply::Refused { reason });
                }
            }
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

    fn hear(&mut self, word: ActivityWord, about: Delivered, now: Timestamp) {
        let run = word.run;
        if self.runs.contains(run) {
            self.with_run(run, |context, run| {
                context.hear(run, word, about, now);
                context.advance(run, now);
            });
        } else if let Some(message_id) = about.message_id {
            self.refuse_closed(run, message_id, about.reply_to);
        }
    }

    /// Asks the store how a run that is not open ended.
    pub(crate) fn look_up(&mut self, run: RunId, to: Option<ReplyTo>, wants_result: bool) {
        let Some(to) = to else {
            return;
        };
        let asked = self.lookups.entry(run).or_default();
        asked.push(Lookup { to, wants_result });
        if asked.len() == 1 {
            self.context.load(run, LAST_RECORD);
        }
    }

    fn refuse_closed(&mut self, run: RunId, message_id: MessageId, to: Option<ReplyTo>) {
        self.context.effect(Effect::Consumed {
            run: Some(run),
            message_id,
        });
        self.look_up(run, to, false);
    }
}

fn about(message_id: MessageId, reply_to: Option<ReplyTo>, received_at: Timestamp) -> Delivered {
    Delivered {
        received_at,
        message_id: Some(message_id),
        reply_to,
        ..Delivered::default()
    }
}

/// The start as what waits for the first turn.
pub(crate) fn start_event(
    message_id: &MessageId,
    start: &StartRun,
    in_inbox: bool,
    received_at: Timestamp,
) -> Pending {
    let event = message_codec::started(message_id, start);
    let message_id = in_inbox.then(|| message_id.clone());
    let about = Delivered {
        received_at,
        message_id,
        in_inbox,
        ..Delivered::default()
    };
    Pending { event, about }
}

impl Context {
    /// Closes a run without its code as soon as nothing is under way.
    pub(crate) fn close_soon(&mut self, run: &mut Run, request: ClosingRequest, now: Timestamp) {
        if run.closing.is_some() {
            // The first request closes the run; a second one hears of it like any late message.
            if let ClosingRequest::Terminate {
                message_id,
                reply_to,
                ..
            } = request
            {
                let message_id = Some(message_id);
                run.late.push(Delivered {
                    message_id,
                    reply_to,
                    ..Delivered::default()
                });
            }
            return;
        }
        run.closing = Some(request);
        self.advance(run, now);
    }
}
