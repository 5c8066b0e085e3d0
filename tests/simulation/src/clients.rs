//! Scripted clients: each message is sent again until it is answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Message, MessageBody, Reply, ReplyTo, StartRun};
use perdure_history::{MessageId, RunId};

use crate::instance::payload;
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
}

/// All clients of this world.
#[derive(Debug, Default)]
pub struct Clients {
    wishes: Vec<Wish>,
    waiting: BTreeMap<u64, usize>,
    next_reply: u64,
    sequence: u64,
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
        };
        self.wish(MessageBody::Start(Box::new(start)));
    }

    /// Wishes for something else.
    pub fn wish(&mut self, body: MessageBody) {
        self.sequence += 1;
        let id = MessageId(format!("message-{}", self.sequence));
        self.wishes.push(Wish {
            id,
            body,
            answered: false,
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

    /// How many wishes are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.wishes.iter().filter(|wish| !wish.answered).count()
    }

    /// A random open wish as a message; the first start before all else.
    pub fn send(&mut self, random: &mut Random) -> Option<Message> {
        let open: Vec<usize> = (0..self.wishes.len())
            .filter(|i| !self.wishes.get(*i).is_none_or(|w| w.answered))
            .collect();
        let index = *random.pick(&open)?;
        let wish = self.wishes.get(index)?;
        self.next_reply += 1;
        self.waiting.insert(self.next_reply, index);
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
        let index = self.waiting.remove(&to.0)?;
        let wish = self.wishes.get_mut(index)?;
        // A run that is not there yet may still come: its start is another client's wish.
        wish.answered |= !matches!(reply, Reply::NotFound { .. });
        Some(wish.clone())
    }

    /// The engine's process ended: nobody is answered any more.
    pub fn disconnect(&mut self) {
        self.waiting.clear();
    }
}
