//! Tasks that were sent and have no final reply yet.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use perdure_history::TaskId;
use tokio::time::Instant;

/// One task on its way.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) nonce: u64,
    pub(crate) service: Arc<str>,
    /// Whether any reply has come.
    pub(crate) accepted: bool,
    /// When it was sent, or last heard of.
    pub(crate) heard_at: Instant,
}

/// Why a task is given back to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// No worker answered at all: it has not started.
    NeverAccepted,
    /// The worker that held it is silent: it is lost.
    Lost,
}

/// The tasks on their way, by id.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    tasks: HashMap<TaskId, Sent>,
}

impl Pending {
    pub(crate) fn sent(&mut self, id: TaskId, sent: Sent) {
        self.tasks.insert(id, sent);
    }

    /// A worker said something of the task, or named it as held.
    pub(crate) fn heard(&mut self, id: TaskId, now: Instant) {
        if let Some(sent) = self.tasks.get_mut(&id) {
            sent.accepted = true;
            sent.heard_at = now;
        }
    }

    /// A task that an engine before this one has sent. What is known of it already stays.
    pub(crate) fn sent_before(&mut self, id: TaskId, sent: Sent) {
        self.tasks.entry(id).or_insert(sent);
    }

    /// The task has its final reply, under the nonce that it was sent with.
    pub(crate) fn done(&mut self, id: &TaskId, nonce: u64) {
        if self.tasks.get(id).is_some_and(|sent| sent.nonce == nonce) {
            self.tasks.remove(id);
        }
    }

    /// Nobody took the task; `None` when a worker has said something of it after all.
    pub(crate) fn unanswered(&mut self, id: &TaskId) -> Option<Sent> {
        self.tasks
            .get(id)
            .is_some_and(|sent| !sent.accepted)
            .then(|| self.tasks.remove(id))
            .flatten()
    }

    /// Every task on its way.
    pub(crate) fn all(&self) -> Vec<(TaskId, Sent)> {
        self.tasks
            .iter()
            .map(|(id, sent)| (*id, sent.clone()))
            .collect()
    }

    /// Nothing could be heard for a while: every silence begins anew.
    pub(crate) fn heard_nothing_until(&mut self, now: Instant) {
        for sent in self.tasks.values_mut() {
            sent.heard_at = now;
        }
    }

    /// Tasks that nobody answers for any more.
    pub(crate) fn silent(
        &mut self,
        now: Instant,
        accept_timeout: Duration,
        silence: Duration,
    ) -> Vec<(TaskId, Sent, Silence)> {
        let overdue = |sent: &Sent| {
            let waited = now.duration_since(sent.heard_at);
            if sent.accepted {
                (waited > silence).then_some(Silence::Lost)
            } else {
                (waited > accept_timeout).then_some(Silence::NeverAccepted)
            }
        };
        let silent: Vec<(TaskId, Silence)> = self
            .tasks
            .iter()
            .filter_map(|(id, sent)| Some((*id, overdue(sent)?)))
            .collect();
        silent
            .into_iter()
            .filter_map(|(id, silence)| Some((id, self.tasks.remove(&id)?, silence)))
            .collect()
    }
}
