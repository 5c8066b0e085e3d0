//! Clients' messages: each is answered, and answered only when what it says is durable.

use perdure_history::{Event, MessageId, RunId, Timestamp};

use crate::closing::ClosingRequest;
use crate::context::Context;
use crate::effect::{Effect, Reply, ReplyTo};
use crate::engine::Engine;
use crate::input::{ActivityWord, Message, MessageBody, StartRun, StartUpdate};
use crate::loading::{LAST_RECORD, Lookup};
use crate::message_codec;
use crate::pending::{Delivered, Pending};
use crate::run::Run;
use crate::updates::NewUpdate;

impl Engine {
    /// Handles a client's message, unless the codec refuses it: whatever is let in here can be
    /// stored, so that no run comes to hold what cannot.
    pub(crate) fn receive(&mut self, message: Message, now: Timestamp) {
        let (seal, id, body) = (
            &self.context.options.seal,
            &message.message_id,
            &message.body,
        );
        if let Some(to) = message.reply_to
            && let Err(reason) = seal.accepts(id, body)
        {
            return self.context.reply(to, Reply::Unstorable { reason });
        }
        self.handle_message(message, now, now);
    }

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
        let heard = || about(message_id.clone(), reply_to, received_at);
        match body {
            MessageBody::Start(start) => self.start(message_id, reply_to, &start, now),
            MessageBody::AwaitResult { run } => self.await_result(run, reply_to),
            MessageBody::Query {
                run,
                name,
                arguments,
            } => self.query(run, reply_to, name, arguments, now),
            MessageBody::Reset(request) => self.reset(message_id, *request, reply_to, now),
            MessageBody::UpdateOptions { run, pinned_to } => {
                let about = about(message_id, reply_to, received_at);
                self.update_options(run, pinned_to, about, now);
            }
            MessageBody::Unpark { run } => self.unpark(run, message_id, reply_to, now),
            MessageBody::Pause { run, reason } => {
                self.set_paused(run, Some(reason), message_id, reply_to, now);
            }
            MessageBody::Unpause { run } => {
                self.set_paused(run, None, message_id, reply_to, now);
            }
            MessageBody::Terminate { run, reason } => {
                self.terminate(run, message_id, reason, reply_to, now);
            }
            MessageBody::Activity(word) => self.hear(*word, heard(), now),
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
                self.deliver(run, event, heard(), now);
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
                    carrier: None,
                };
                self.update(message_id, update, reply_to, received_at, now);
            }
            MessageBody::AwaitUpdate { run, update } => self.await_update(run, update, reply_to),
            MessageBody::Cancel { run, reason } => {
                let event = Event::CancelRequested {
                    message_id: message_id.clone(),
                    reason,
                };
                self.deliver(run, event, heard(), now);
            }
        }
    }

    fn await_result(&mut self, run: RunId, reply_to: Option<ReplyTo>) {
        let found = self.with_run(run, |context, run| {
            run.waiters.extend(reply_to);
            context.answer_parked(run);
        });
        if found.is_none() {
            self.look_up(run, reply_to, true);
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
            next_run_id: None,
        };
        let found = self.with_run(run, |context, run| {
            context.close_soon(run, request, now);
        });
        if found.is_none() {
            self.refuse_closed(run, message_id, reply_to);
        }
    }

    /// Puts a message in line for the run's next turn.
    pub(crate) fn deliver(&mut self, run: RunId, event: Event, about: Delivered, now: Timestamp) {
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

    pub(crate) fn refuse_closed(&mut self, run: RunId, message_id: MessageId, to: Option<ReplyTo>) {
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

/// The update that came with a start, behind it.
pub(crate) fn brought(update: &StartUpdate, received_at: Timestamp) -> Pending {
    Pending {
        event: update.event(),
        about: about(update.id.clone(), None, received_at),
    }
}

impl Context {
    /// Closes a run without its code as soon as nothing is under way.
    pub(crate) fn close_soon(&mut self, run: &mut Run, request: ClosingRequest, now: Timestamp) {
        if run.closing.is_some() {
            // The first request closes the run; a second one hears of it like any late message.
            run.late.extend(request.too_late());
            return;
        }
        run.closing = Some(request);
        self.advance(run, now);
    }
}
