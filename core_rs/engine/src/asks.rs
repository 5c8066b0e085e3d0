//! What runs ask of each other, as data: who asks, what goes out with a write, and what follows it.
//!
//! An ask lies in the inbox of the run that asks, from the write that holds its command until the
//! write that records the answer. The answer lies in the same inbox from the very write of the
//! other run that makes it true. So a crash at any point finds either the ask alone, and it is
//! asked again, or the answer, and it is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use perdure_history::{
    Command, Event, Failure, FailureKind, MessageId, ParentClosePolicy, Record, RecordBody, RunId,
    StartChild, Timestamp, WorkerVersion,
};
use perdure_machine::effect::{ClosedStatus, Effect as MachineEffect};
use perdure_store::{Append, InboxMessage};

use crate::closing::Closed;
use crate::commit::Commit;
use crate::context::Context;
use crate::input::MessageBody;
use crate::message_codec;
use crate::pending::Delivered;
use crate::run::Run;
use crate::turn;

/// The command by which a run waits for what another one answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) run: RunId,
    pub(crate) n: u64,
    /// Whether it asked for a cancel; else it sent a signal.
    pub(crate) cancels: bool,
}

impl Asker {
    fn delivered(self) -> Event {
        let command_n = self.n;
        if self.cancels {
            Event::ExternalCancelDelivered { command_n }
        } else {
            Event::ExternalSignalDelivered { command_n }
        }
    }

    /// The answer when no open run can take the message.
    pub(crate) fn refused(self, message: String) -> Event {
        let command_n = self.n;
        let failure = application("WorkflowNotFound", message);
        if self.cancels {
            Event::ExternalCancelFailed { command_n, failure }
        } else {
            Event::ExternalSignalFailed { command_n, failure }
        }
    }
}

/// What one run has for another, once the write that says so is durable.
#[derive(Clone, Debug)]
pub(crate) enum Post {
    /// A command that asks for something.
    Ask {
        run: RunId,
        n: u64,
        namespace: Arc<str>,
        workflow_id: Arc<str>,
        command: Command,
        /// Where a child that it begins is pinned.
        pinned_to: Option<WorkerVersion>,
    },
    /// An event, which the inbox of the run holds under this id.
    Event {
        run: RunId,
        message_id: MessageId,
        event: Event,
    },
    /// A message to a child, which the inbox of its run holds.
    ToChild {
        parent: RunId,
        n: u64,
        child: Arc<StartChild>,
        namespace: Arc<str>,
        message_id: MessageId,
        body: MessageBody,
    },
}

/// The id of what command `n` of a run asks for.
pub(crate) fn ask_id(run: RunId, n: u64) -> MessageId {
    MessageId(format!("{run}.{n}"))
}

/// The ask that an answer ends, when that is another message than the answer itself.
pub(crate) fn answered_ask(run: RunId, event: &Event) -> Option<MessageId> {
    match event {
        Event::ChildStarted { command_n }
        | Event::ExternalSignalDelivered { command_n }
        | Event::ExternalCancelDelivered { command_n } => Some(ask_id(run, *command_n)),
        _ => None,
    }
}

/// Why a child was not begun.
pub(crate) fn already_started(workflow_id: &str, open: RunId) -> Failure {
    let message = format!("workflow id {workflow_id:?} is already open as run {open}");
    application("WorkflowAlreadyStarted", message)
}

fn application(type_name: &str, message: String) -> Failure {
    Failure {
        kind: FailureKind::Application {
            type_name: type_name.to_owned(),
            details: None,
            non_retryable: true,
            next_retry_delay: None,
        },
        message,
        stack: String::new(),
        cause: None,
    }
}

/// The children that a history began and does not know to be over.
pub(crate) fn open_children(records: &[Record]) -> BTreeMap<u64, Arc<StartChild>> {
    let mut children = BTreeMap::new();
    for record in records {
        note_child(&mut children, record.n, &record.body);
    }
    children
}

fn note_child(children: &mut BTreeMap<u64, Arc<StartChild>>, n: u64, body: &RecordBody) {
    match body {
        RecordBody::Command(Command::StartChild(child)) => {
            children.insert(n, Arc::clone(child));
        }
        RecordBody::Command(_) => {}
        RecordBody::Event(event) => note_end_of_child(children, event),
    }
}

fn note_end_of_child(children: &mut BTreeMap<u64, Arc<StartChild>>, event: &Event) {
    if let Event::ChildCompleted { command_n, .. }
    | Event::ChildFailed { command_n, .. }
    | Event::ChildCancelled { command_n, .. } = event
    {
        children.remove(command_n);
    }
}

/// What a parent records of how its child ended; `None` when another run goes on for it.
fn report(command_n: u64, closed: &Closed) -> Option<Event> {
    if closed.next_run().is_some() {
        return None;
    }
    Some(match (closed.status, &closed.outcome) {
        (ClosedStatus::Completed, Ok(result)) => Event::ChildCompleted {
            command_n,
            result: result.clone(),
        },
        (
            ClosedStatus::Cancelled,
            Err(Failure {
                kind: FailureKind::Cancelled { details },
                ..
            }),
        ) => Event::ChildCancelled {
            command_n,
            details: details.clone(),
        },
        (
            ClosedStatus::Failed | ClosedStatus::Terminated | ClosedStatus::TimedOut,
            Err(failure),
        ) => Event::ChildFailed {
            command_n,
            failure: failure.clone(),
        },
        _ => return None,
    })
}

/// Fills one write with what its run has for others, and says what follows once it is durable.
pub(crate) struct Outgoing<'write> {
    pub(crate) run: &'write mut Run,
    pub(crate) append: &'write mut Append,
    pub(crate) posts: &'write mut Vec<Post>,
    pub(crate) at: Timestamp,
}

impl Outgoing<'_> {
    /// What a turn asks for; a run that ends by it begins no child that it would end at once.
    pub(crate) fn asks(&mut self, effects: &[MachineEffect], records: &[Record], closes: bool) {
        for record in records {
            note_child(&mut self.run.children, record.n, &record.body);
        }
        for effect in effects {
            match effect {
                MachineEffect::Ask { command_n } => {
                    if let Some(command) = command_of(records, *command_n) {
                        self.ask(*command_n, command, closes);
                    }
                }
                MachineEffect::EventDropped { event, .. } => {
                    note_end_of_child(&mut self.run.children, event);
                }
                _ => {}
            }
        }
    }

    fn ask(&mut self, n: u64, command: &Command, closes: bool) {
        match command {
            Command::CancelChild { command_n } => {
                if let Some(child) = self.run.children.get(command_n) {
                    let (run, reason) = (child.run, "its parent cancelled it".to_owned());
                    let child = Arc::clone(child);
                    let message_id = ask_id(self.run.id, n);
                    let body = MessageBody::Cancel { run, reason };
                    self.tell_child(*command_n, child, message_id, body);
                }
                return;
            }
            Command::StartChild(child)
                if closes && child.parent_close_policy != ParentClosePolicy::Abandon =>
            {
                self.run.children.remove(&n);
                return;
            }
            _ => {}
        }
        let run = self.run.id;
        let pinned_to = match command {
            Command::StartChild(child) => self.run.inherited_pin(&child.task_queue),
            _ => None,
        };
        self.append.inbox.push(InboxMessage {
            run: Some(run),
            message_id: ask_id(run, n),
            received_at: self.at,
            body: message_codec::encode_ask(run, n, (command, pinned_to.as_ref()), self.at),
        });
        let identity = &self.run.identity;
        self.posts.push(Post::Ask {
            run,
            n,
            namespace: Arc::clone(&identity.namespace),
            workflow_id: Arc::clone(&identity.workflow_id),
            command: command.clone(),
            pinned_to,
        });
    }

    /// Answers those whose messages this write makes durable.
    pub(crate) fn answers<'about>(
        &mut self,
        durable: impl IntoIterator<Item = &'about mut Delivered>,
    ) {
        for about in durable {
            if let Some(asker) = about.asker.take() {
                let message_id = MessageId(format!("{}.{}.taken", asker.run, asker.n));
                self.event(asker.run, message_id, asker.delivered());
            }
        }
    }

    /// Tells the parent that its child is begun.
    pub(crate) fn begun(&mut self) {
        if let Some(parent) = &self.run.parent {
            let (run, command_n) = (parent.run, parent.command_n);
            let message_id = MessageId(format!("{}.1", self.run.id));
            self.event(run, message_id, Event::ChildStarted { command_n });
        }
    }

    /// Tells the parent how its child ended, and the children that their parent did.
    pub(crate) fn closed(&mut self, closed: &Closed, last_n: u64) {
        let id = self.run.id;
        if let Some(parent) = &self.run.parent {
            let run = parent.run;
            if let Some(event) = report(parent.command_n, closed) {
                self.event(run, MessageId(format!("{id}.{last_n}")), event);
            }
        }
        for (n, child) in std::mem::take(&mut self.run.children) {
            let run = child.run;
            let body = match child.parent_close_policy {
                ParentClosePolicy::Terminate => MessageBody::Terminate {
                    run,
                    reason: "its parent closed".to_owned(),
                },
                ParentClosePolicy::RequestCancel => MessageBody::Cancel {
                    run,
                    reason: "its parent closed".to_owned(),
                },
                _ => continue,
            };
            let message_id = MessageId(format!("{id}.{n}.closed"));
            self.tell_child(n, child, message_id, body);
        }
    }

    fn tell_child(
        &mut self,
        n: u64,
        child: Arc<StartChild>,
        message_id: MessageId,
        body: MessageBody,
    ) {
        if let Some(kept) = message_codec::encode_message(&message_id, &body, self.at) {
            self.append.outbox.push(InboxMessage {
                run: Some(child.run),
                message_id: message_id.clone(),
                received_at: self.at,
                body: kept,
            });
        }
        self.posts.push(Post::ToChild {
            parent: self.run.id,
            n,
            child,
            namespace: Arc::clone(&self.run.identity.namespace),
            message_id,
            body,
        });
    }

    fn event(&mut self, run: RunId, message_id: MessageId, event: Event) {
        self.append.outbox.push(InboxMessage {
            run: Some(run),
            message_id: message_id.clone(),
            received_at: self.at,
            body: message_codec::encode_event(run, &event, self.at),
        });
        self.posts.push(Post::Event {
            run,
            message_id,
            event,
        });
    }
}

fn command_of(records: &[Record], n: u64) -> Option<&Command> {
    match &turn::record_of(records, n)?.body {
        RecordBody::Command(command) => Some(command),
        RecordBody::Event(_) => None,
    }
}

impl Context {
    /// Tells the parent of a run that another one has its workflow id.
    pub(crate) fn refuse_child(&mut self, run: &Run, open: RunId) {
        if let Some(parent) = &run.parent {
            let command_n = parent.command_n;
            let failure = already_started(&run.identity.workflow_id, open);
            self.posts.push_back(Post::Event {
                run: parent.run,
                message_id: ask_id(parent.run, command_n),
                event: Event::ChildFailed { command_n, failure },
            });
        }
    }

    /// Tells a run whose message was not taken; its ask stays in its inbox until it records that.
    pub(crate) fn refuse_asker(&mut self, about: &mut Delivered, run: RunId) {
        if let Some(asker) = about.asker.take() {
            self.posts.push_back(Post::Event {
                run: asker.run,
                message_id: ask_id(asker.run, asker.n),
                event: asker.refused(format!("run {run} is closed: it takes no messages")),
            });
        }
    }
}

/// The messages that a write takes off the inbox. Dropped ones are not among
/// them: they leave the inbox after the close, one by one, since
/// some may be doubles of messages that the run consumed long ago.
pub(crate) fn consumed(run: RunId, commit: &Commit, records: &[Record]) -> Vec<MessageId> {
    let all = commit.delivered.iter();
    let asked = records.iter().filter_map(|record| match &record.body {
        RecordBody::Event(event) => answered_ask(run, event),
        RecordBody::Command(_) => None,
    });
    all.filter_map(|about| about.message_id.clone())
        .chain(asked)
        .collect()
}
