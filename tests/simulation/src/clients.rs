//! Scripted clients: each message is sent again until it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Message, MessageBody, Reply, ReplyTo, StartRun, StartUpdate, UpdateStage};
use perdure_history::{MessageId, RunId};

use crate::instance::{is_refused, payload};
use crate::random::Random;

/// One message that a client wants delivered.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Its id, the same each time it is sent.
    pub id: MessageId,
    /// What it says.
    pub body: MessageBody,
    /// Whether it was answered.
    pub answered: bool,
    /// Whether the store knew the run when the message that is answered now was sent.
    pub run_known: bool,
}

/// All clients of this world.
#[derive(Debug, Default)]
pub struct Clients {
    wishes: Vec<Wish>,
    waiting: BTreeMap<u64, (usize, bool)>,
    next_reply: u64,
    sequence: u64,
    rivals: u8,
}

/// The run that a message is for.
#[must_use]
pub fn run_of(body: &MessageBody) -> Option<RunId> {
    match body {
        MessageBody::Start(start) => Some(start.run),
        MessageBody::Signal { run, .. }
        | MessageBody::Update { run, .. }
        | MessageBody::Cancel { run, .. }
        | MessageBody::Terminate { run, .. }
        | MessageBody::Unpark { run }
        | MessageBody::Pause { run, .. }
        | MessageBody::Unpause { run }
        | MessageBody::AwaitResult { run } => Some(*run),
        _ => None,
    }
}

/// The sort of a message, for the counts.
#[must_use]
pub fn sort_of(body: &MessageBody) -> &'static str {
    match body {
        MessageBody::Start(_) => "message: Start",
        MessageBody::Signal { .. } => "message: Signal",
        MessageBody::Update { .. } => "message: Update",
        MessageBody::Cancel { .. } => "message: Cancel",
        MessageBody::Terminate { .. } => "message: Terminate",
        MessageBody::Unpark { .. } => "message: Unpark",
        MessageBody::Pause { .. } => "message: Pause",
        MessageBody::Unpause { .. } => "message: Unpause",
        MessageBody::AwaitResult { .. } => "message: AwaitResult",
        _ => "message: another",
    }
}

/// The sort of an answer, for the counts.
#[must_use]
pub fn answer_of(reply: &Reply) -> &'static str {
    match reply {
        Reply::Started { .. } => "answer: Started",
        Reply::AlreadyStarted { .. } => "answer: AlreadyStarted",
        Reply::Accepted => "answer: Accepted",
        Reply::NotFound { .. } => "answer: NotFound",
        Reply::Closed { .. } => "answer: Closed",
        Reply::Result { .. } => "answer: Result",
        Reply::Parked { .. } => "answer: Parked",
        Reply::Refused { .. } => "answer: Refused",
        Reply::UpdateEnded { .. } => "answer: UpdateEnded",
        Reply::UpdateRejected { .. } => "answer: UpdateRejected",
        _ => "answer: another",
    }
}

/// The workflow type of every run.
pub const WORKFLOW_TYPE: &str = "program";
/// The task queue of every run.
pub const TASK_QUEUE: &str = "default";

/// The id of the run with this number.
#[must_use]
pub fn run_id(number: u8) -> RunId {
    let mut id = [0x70; 16];
    if let Some(last) = id.last_mut() {
        *last = number;
    }
    RunId(id)
}

/// The update that a start brings: one that the code does not refuse.
fn brought(number: u8) -> StartUpdate {
    let arguments = (u64::from(number)..).map(payload);
    StartUpdate {
        id: MessageId(format!("brought-{number}")),
        name: "brought".to_owned(),
        arguments: arguments
            .take(100)
            .find(|arguments| !is_refused(arguments))
            .unwrap_or_default(),
    }
}

impl Clients {
    /// Wishes for a run.
    pub fn wish_start(&mut self, number: u8, run_timeout: Option<Duration>) {
        let start = StartRun {
            run: run_id(number),
            namespace: "default".to_owned(),
            workflow_id: format!("workflow-{number}"),
            workflow_type: Arc::from(WORKFLOW_TYPE),
            task_queue: TASK_QUEUE.to_owned(),
            arguments: payload(u64::from(number)),
            seed: u64::from(number),
            run_timeout,
            memo: Vec::new(),
            headers: Vec::new(),
            chain: perdure_history::Chain::default(),
            parent: None,
            signal: None,
            search_attributes: Vec::new(),
            id_policy: perdure_history::IdPolicy::default(),
            priority: perdure_history::Priority::default(),
            update: number.is_multiple_of(2).then(|| brought(number)),
        };
        self.wish(MessageBody::Start(Box::new(start)));
    }

    /// Wishes for another run under the workflow id of this one.
    pub fn wish_rival(&mut self, number: u8) {
        self.wish_start(number, None);
        if let Some(Wish {
            body: MessageBody::Start(start),
            ..
        }) = self.wishes.last_mut()
        {
            self.rivals += 1;
            start.run = run_id(100 + self.rivals);
        }
    }

    /// Wishes for something else.
    pub fn wish(&mut self, body: MessageBody) {
        self.sequence += 1;
        let id = MessageId(format!("message-{}", self.sequence));
        self.wishes.push(Wish {
            id,
            body,
            answered: false,
            run_known: false,
        });
    }

    /// A signal of a random name.
    #[must_use]
    pub fn signal(&mut self, run: RunId, name: u8) -> MessageBody {
        self.sequence += 1;
        let name = char::from(name).to_string();
        MessageBody::Signal {
            run,
            name,
            arguments: payload(self.sequence),
        }
    }

    /// An update in place of every third signal.
    #[must_use]
    pub fn told(&mut self, run: RunId, name: u8) -> MessageBody {
        let body = self.signal(run, name);
        match body {
            MessageBody::Signal {
                name, arguments, ..
            } if self.sequence.is_multiple_of(3) => MessageBody::Update {
                run,
                name,
                arguments,
                stage: if self.sequence.is_multiple_of(2) {
                    UpdateStage::Completed
                } else {
                    UpdateStage::Accepted
                },
            },
            body => body,
        }
    }

    /// How many wishes are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.wishes.iter().filter(|wish| !wish.answered).count()
    }

    /// A random open wish as a message; the first start before all else.
    pub fn send(
        &mut self,
        random: &mut Random,
        is_known: impl Fn(RunId) -> bool,
    ) -> Option<Message> {
        let open: Vec<usize> = (0..self.wishes.len())
            .filter(|i| !self.wishes.get(*i).is_none_or(|w| w.answered))
            .collect();
        let index = *random.pick(&open)?;
        let wish = self.wishes.get(index)?;
        self.next_reply += 1;
        let known = run_of(&wish.body).is_some_and(is_known);
        self.waiting.insert(self.next_reply, (index, known));
        Some(Message {
            message_id: wish.id.clone(),
            reply_to: Some(ReplyTo(self.next_reply)),
            body: wish.body.clone(),
        })
    }

    /// An open wish, to be posted into the inbox while no engine runs.
    #[must_use]
    pub fn any_open(&self, random: &mut Random) -> Option<Wish> {
        let open: Vec<&Wish> = self.wishes.iter().filter(|wish| !wish.answered).collect();
        random.pick(&open).map(|wish| (*wish).clone())
    }

    /// An answer has come. Gives the wish it is for.
    pub fn answer(&mut self, to: ReplyTo, reply: &Reply) -> Option<Wish> {
        let (index, run_known) = self.waiting.remove(&to.0)?;
        let wish = self.wishes.get_mut(index)?;
        wish.run_known = run_known;
        // A run that is not there yet may still come: its start is another client's wish.
        // What is refused is asked for again.
        wish.answered |= !matches!(reply, Reply::NotFound { .. } | Reply::Refused { .. });
        Some(wish.clone())
    }

    /// A run was deleted when it was old: nobody wants anything of it any more.
    pub fn forget(&mut self, run: RunId) {
        for wish in &mut self.wishes {
            wish.answered |= run_of(&wish.body) == Some(run);
        }
    }

    /// The engine's process ended: nobody is answered any more.
    pub fn disconnect(&mut self) {
        self.waiting.clear();
    }
}
