//! What one run has for another, carried out: after the write that says so, and again after a
//! restart as long as no answer is recorded.

use std::sync::Arc;

use perdure_history::{
    Chain, Command, Event, ExternalRun, MessageId, Parent, RunId, StartChild, Timestamp,
    WorkerVersion,
};

use crate::asks::{self, Asker, Post};
use crate::effect::Effect;
use crate::engine::Engine;
use crate::input::{Message, MessageBody, StartRun};
use crate::pending::{Delivered, Pending};

impl Engine {
    /// Carries out one post.
    pub(crate) fn carry_out(&mut self, post: Post, now: Timestamp) {
        match post {
            Post::Ask {
                run,
                n,
                namespace,
                workflow_id,
                command,
                pinned_to,
            } => match command {
                Command::StartChild(child) => {
                    let parent = Parent {
                        run,
                        command_n: n,
                        workflow_id: workflow_id.to_string(),
                    };
                    self.start_child(parent, &namespace, &child, pinned_to, now);
                }
                Command::SignalExternal(signal) => {
                    let message_id = asks::ask_id(run, n);
                    let asker = Asker {
                        run,
                        n,
                        cancels: false,
                    };
                    let event = Event::SignalReceived {
                        message_id,
                        name: signal.name.clone(),
                        arguments: signal.arguments.clone(),
                    };
                    self.pass_on(asker, &namespace, &signal.target, event, now);
                }
                Command::CancelExternal(cancel) => {
                    let message_id = asks::ask_id(run, n);
                    let asker = Asker {
                        run,
                        n,
                        cancels: true,
                    };
                    let reason = cancel.reason.clone();
                    let event = Event::CancelRequested { message_id, reason };
                    self.pass_on(asker, &namespace, &cancel.target, event, now);
                }
                _ => {}
            },
            Post::Event {
                run,
                message_id,
                event,
            } => self.hand_event(run, message_id, event, now),
            Post::ToChild {
                parent,
                n,
                child,
                namespace,
                message_id,
                body,
            } => {
                let run = self.child_run(parent, n, child.run, &child.workflow_id, &namespace);
                let body = readdressed(body, run.unwrap_or(child.run));
                let message = Message {
                    message_id,
                    reply_to: None,
                    body,
                };
                self.handle_message(message, now, now);
            }
        }
    }

    /// Begins a child, unless it has begun already.
    fn start_child(
        &mut self,
        parent: Parent,
        namespace: &Arc<str>,
        child: &StartChild,
        pinned_to: Option<WorkerVersion>,
        now: Timestamp,
    ) {
        if self.context.draining || self.runs.contains(child.run) {
            // Asked again after the restart; or begun already, which its own write tells.
            return;
        }
        let workflow_id: Arc<str> = Arc::from(child.workflow_id.as_str());
        let asked = asks::ask_id(parent.run, parent.command_n);
        if let Some(open) = self.runs.find(namespace, &workflow_id) {
            let failure = asks::already_started(&workflow_id, open);
            let command_n = parent.command_n;
            let event = Event::ChildFailed { command_n, failure };
            return self.hand_event(parent.run, asked, event, now);
        }
        let start = StartRun {
            run: child.run,
            namespace: namespace.to_string(),
            workflow_id: child.workflow_id.clone(),
            workflow_type: Arc::clone(&child.workflow_type),
            task_queue: child.task_queue.clone(),
            arguments: child.arguments.clone(),
            seed: child.seed,
            run_timeout: child.run_timeout,
            memo: Vec::new(),
            headers: child.headers.clone(),
            chain: Chain {
                pinned_to,
                ..Chain::default()
            },
            parent: Some(parent),
            signal: None,
            search_attributes: Vec::new(),
            id_policy: perdure_history::IdPolicy::default(),
            priority: child.priority.clone(),
            update: None,
        };
        self.start(asked, None, &start, now);
    }

    /// Puts a message in line for the run that workflow code named.
    fn pass_on(
        &mut self,
        asker: Asker,
        namespace: &Arc<str>,
        target: &ExternalRun,
        event: Event,
        now: Timestamp,
    ) {
        let message_id = asks::ask_id(asker.run, asker.n);
        let found = match (target.run, target.child_n) {
            (Some(run), Some(n)) => {
                self.child_run(asker.run, n, run, &target.workflow_id, namespace)
            }
            (Some(run), None) => self.runs.contains(run).then_some(run),
            (None, _) => {
                let workflow_id: Arc<str> = Arc::from(target.workflow_id.as_str());
                self.runs.find(namespace, &workflow_id)
            }
        };
        let Some(run) = found else {
            let workflow_id = &target.workflow_id;
            let reason = format!("no open run has the workflow id {workflow_id:?}");
            return self.hand_event(asker.run, message_id, asker.refused(reason), now);
        };
        let about = Delivered {
            received_at: now,
            message_id: Some(message_id),
            asker: Some(asker),
            ..Delivered::default()
        };
        self.with_run(run, |context, run| {
            run.pending.push_back(Pending { event, about });
            context.advance(run, now);
        });
    }

    /// The open run of a child: the one it began as, or one that goes on for it.
    fn child_run(
        &self,
        parent: RunId,
        n: u64,
        began_as: RunId,
        workflow_id: &str,
        namespace: &Arc<str>,
    ) -> Option<RunId> {
        if self.runs.contains(began_as) {
            return Some(began_as);
        }
        let run = self.runs.find(namespace, &Arc::from(workflow_id))?;
        let found = self.runs.get(run)?.parent.as_ref()?;
        (found.run == parent && found.command_n == n).then_some(run)
    }

    /// Puts an event that is in the inbox of a run in line; of a run that is over it leaves it.
    fn hand_event(&mut self, run: RunId, message_id: MessageId, event: Event, now: Timestamp) {
        if self.runs.contains(run) {
            let about = Delivered {
                received_at: now,
                message_id: Some(message_id),
                in_inbox: true,
                ..Delivered::default()
            };
            self.with_run(run, |context, run| {
                run.pending.push_back(Pending { event, about });
                context.advance(run, now);
            });
            return;
        }
        let asked = asks::answered_ask(run, &event);
        for message_id in asked.into_iter().chain([message_id]) {
            let run = Some(run);
            self.context.effect(Effect::Consumed { run, message_id });
        }
    }
}

fn readdressed(body: MessageBody, run: RunId) -> MessageBody {
    match body {
        MessageBody::Cancel { reason, .. } => MessageBody::Cancel { run, reason },
        MessageBody::Terminate { reason, .. } => MessageBody::Terminate { run, reason },
        other => other,
    }
}
