//! The thin part under the engine: a clock, a channel, a store thread, transports.
//!
//! One host thread drives it: [`Runtime::pump`] takes what has come in, and gives what only the
//! host can do; [`Runtime::commit_inline`] is the one call that may block, for one short sync.

mod handle;
mod skipping;
mod store_thread;
mod work;

pub use handle::RuntimeHandle;
pub use skipping::Skipped;
pub use work::HostWork;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use perdure_history::{MessageId, RunId, TaskId, Timestamp};
use perdure_store::{Append, InboxMessage, Store, StoreError};

use crate::append_failure::Stopped;
use crate::clock::Clock;
use crate::effect::{Effect, ReplyTo};
use crate::engine::{Engine, EngineOptions};
use crate::input::{AppendFailure, Input, Message, MessageBody};
use crate::message_codec::{self, Kept};
use crate::runtime::store_thread::{Answer, Job, StoreThread};
use crate::task::{Route, Task, TaskOutcome, TaskReport};
use crate::transport::Transport;

/// How many inputs one pump handles at most: under half a millisecond of them. A burst must not
/// hold the host's thread, and the store begins to write while the rest is handled.
const PUMP_INPUTS_MAX: usize = 128;

/// An engine over a store and transports, driven by one thread.
pub struct Runtime<S: Store + 'static> {
    engine: Engine,
    options: EngineOptions,
    clock: Clock,
    handle: RuntimeHandle,
    /// From any thread.
    submitted: Receiver<Input>,
    /// From the host's own thread.
    local: VecDeque<Input>,
    store: StoreThread<S>,
    answers: Receiver<Answer>,
    /// Entries of answered groups that no pump has come to yet.
    appended: VecDeque<(u64, Result<(), AppendFailure>)>,
    transports: Vec<Arc<dyn Transport>>,
    /// Appends that are ready and not yet handed to the store.
    ready: Vec<(u64, Append)>,
    /// Inbox messages that the engine has, by run and id.
    known: HashSet<(Option<RunId>, MessageId)>,
    inline_commits: bool,
    work: HostWork,
}

impl<S: Store + 'static> std::fmt::Debug for Runtime<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Runtime")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl<S: Store + 'static> Runtime<S> {
    /// An engine that goes on from what the store holds. `waker` is called from any thread when
    /// there is something to pump; the epoch of `options` is the store's.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read, or its thread cannot be started.
    pub fn new(
        store: S,
        options: EngineOptions,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        Self::with_clock(store, options, Clock::default(), waker)
    }

    /// The same, by a clock that the caller chooses.
    ///
    /// # Errors
    /// As [`Runtime::new`].
    pub fn with_clock(
        store: S,
        mut options: EngineOptions,
        mut clock: Clock,
        waker: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        options.epoch = store.epoch();
        let now = clock.now();
        let (sender, submitted) = crossbeam_channel::unbounded();
        let handle = RuntimeHandle::new(sender, waker);
        let recovery = store.recover()?;
        let known = recovery
            .inbox
            .iter()
            .map(|one| (one.run, one.message_id.clone()))
            .collect();
        let engine = Engine::new(options.clone(), recovery, now);
        let (store, answers) = StoreThread::start(store, handle.clone())?;
        Ok(Self {
            engine,
            options,
            clock,
            handle,
            submitted,
            local: VecDeque::new(),
            store,
            answers,
            appended: VecDeque::new(),
            transports: Vec::new(),
            ready: Vec::new(),
            known,
            inline_commits: true,
            work: HostWork::default(),
        })
    }

    /// Adds a way to services; the first that serves a service gets its tasks.
    pub fn add_transport(&mut self, transport: Arc<dyn Transport>) {
        self.transports.push(transport);
    }

    /// Whether one append alone may be committed on the host's thread; it may by default.
    pub fn allow_inline_commits(&mut self, allow: bool) {
        self.inline_commits = allow;
    }

    /// Where other threads put inputs.
    #[must_use]
    pub fn handle(&self) -> RuntimeHandle {
        self.handle.clone()
    }

    /// Takes an input from the host's own thread; the next [`Runtime::pump`] handles it.
    pub fn submit(&mut self, input: Input) {
        self.local.push_back(input);
    }

    /// The engine, for looking.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The time by the clock that the engine follows.
    pub fn now(&mut self) -> Timestamp {
        self.clock.now()
    }

    /// Handles what has come in, up to a bound, and all that is due. Never blocks.
    pub fn pump(&mut self) -> HostWork {
        self.handle.begin_pump();
        let now = self.clock.now();
        let more = (0..PUMP_INPUTS_MAX).all(|_| self.take_one(now));
        self.engine.handle_timeout(now);
        self.perform();
        self.hand_over_appends(more);
        let mut work = std::mem::take(&mut self.work);
        work.commit_inline = !self.ready.is_empty();
        work.more = more;
        work.wake_after = self.engine.poll_timeout().map(|due| due.since(now));
        work.stopped = self.engine.stopped().cloned();
        work
    }

    /// Writes the one append that is ready, on this thread: blocks for a sync. Then pump again.
    pub fn commit_inline(&mut self) {
        for (ticket, append) in std::mem::take(&mut self.ready) {
            if let Some(answer) = self.store.append_here(ticket, append) {
                let now = self.clock.now();
                self.take_answer(answer, now);
            }
        }
    }

    /// Reads what other processes have posted into the inbox.
    pub fn read_inbox(&mut self) {
        self.store.send(Job::ReadInbox);
    }

    /// After [`HostWork::stopped`]: goes on with the store opened again. The host must have dropped
    /// all its instances.
    ///
    /// # Errors
    /// Whatever `open` gives, or [`StoreError`] when the store cannot be read.
    pub fn reopen(
        &mut self,
        open: impl FnOnce() -> Result<S, StoreError>,
    ) -> Result<(), StoreError> {
        self.store.stop();
        let store = open()?;
        self.options.epoch = store.epoch();
        let recovery = store.recover()?;
        self.known = recovery
            .inbox
            .iter()
            .map(|one| (one.run, one.message_id.clone()))
            .collect();
        self.engine = Engine::new(self.options.clone(), recovery, self.clock.now());
        (self.store, self.answers) = StoreThread::start(store, self.handle.clone())?;
        self.ready.clear();
        self.appended.clear();
        self.local.clear();
        Ok(())
    }

    /// Ends the store thread and drops the store, which another engine may then own.
    pub fn close(mut self) {
        for transport in &self.transports {
            transport.drain();
        }
        self.store.stop();
    }

    /// Handles one thing that has come in: what ends work before what begins it. `false` when there
    /// was nothing.
    fn take_one(&mut self, now: Timestamp) -> bool {
        if let Some((ticket, outcome)) = self.appended.pop_front() {
            self.engine
                .handle_input(now, Input::Appended { ticket, outcome });
        } else if let Ok(answer) = self.answers.try_recv() {
            self.take_answer(answer, now);
        } else if let Some(input) = self.local.pop_front() {
            self.engine.handle_input(now, input);
        } else if let Ok(input) = self.submitted.try_recv() {
            self.engine.handle_input(now, input);
        } else {
            return false;
        }
        true
    }

    fn take_answer(&mut self, answer: Answer, now: Timestamp) {
        match answer {
            Answer::Appended(answered) => self.appended.extend(answered),
            Answer::Loaded {
                run,
                from_n,
                outcome,
            } => {
                let loaded = Input::Loaded {
                    run,
                    from_n,
                    outcome,
                };
                self.engine.handle_input(now, loaded);
            }
            Answer::StartFound {
                message_id,
                outcome,
            } => {
                let found = Input::StartFound {
                    message_id,
                    outcome,
                };
                self.engine.handle_input(now, found);
            }
            Answer::UpdateFound {
                run,
                message_id,
                outcome,
            } => {
                let found = Input::UpdateFound {
                    run,
                    message_id,
                    outcome,
                };
                self.engine.handle_input(now, found);
            }
            Answer::ResetRead {
                run,
                message_id,
                outcome,
            } => {
                let read = Input::ResetRead {
                    run,
                    message_id,
                    outcome,
                };
                self.engine.handle_input(now, read);
            }
            Answer::Inbox(Err(damaged @ StoreError::Damaged { .. })) => {
                let reason = damaged.to_string();
                self.engine.stop(Stopped::Damaged { reason });
            }
            // Looked into again after a while.
            Answer::Inbox(Err(_)) => {}
            Answer::Inbox(Ok(messages)) => {
                for message in messages {
                    let key = (message.run, message.message_id.clone());
                    if !self.known.insert(key) {
                        continue;
                    }
                    self.take_posted(message, now);
                }
            }
            Answer::Done => {}
        }
    }

    /// A message that another process posted. One that cannot be read stays for a newer version.
    fn take_posted(&mut self, posted: InboxMessage, now: Timestamp) {
        let body = self.options.seal.open_message(&posted.body);
        if let Ok(Kept::Message(body)) = message_codec::decode_message(&body) {
            let message = Message {
                message_id: posted.message_id,
                reply_to: None,
                body,
            };
            let received_at = posted.received_at;
            let posted = Input::Posted {
                message,
                received_at,
            };
            self.engine.handle_input(now, posted);
        }
    }

    fn perform(&mut self) {
        while let Some(effect) = self.engine.poll_effect() {
            match effect {
                Effect::Step(turn) => self.work.turns.push(turn),
                Effect::Append { ticket, append } => self.take_append(ticket, *append),
                Effect::FindStart { message_id } => self.store.send(Job::FindStart { message_id }),
                Effect::FindUpdate { run, message_id } => {
                    self.store.send(Job::FindUpdate { run, message_id });
                }
                Effect::ReadForReset { run, message_id } => {
                    self.store.send(Job::ReadForReset { run, message_id });
                }
                Effect::Load { run, from_n } => self.store.send(Job::Load { run, from_n }),
                Effect::Dispatch(task) => self.dispatch(*task),
                Effect::CancelTask {
                    task,
                    service,
                    reason,
                } => match service {
                    Some(service) => self.cancel(&service, task, &reason),
                    None => self.work.cancels.push((task, reason)),
                },
                Effect::TakeInventory { service, awaited } => {
                    if let Some(transport) = self.transport(&service) {
                        transport.take_inventory(&service, &awaited);
                    }
                }
                Effect::Reply { to, reply } => self.work.replies.push((to, reply)),
                Effect::Query { run, query } => self.work.queries.push((run, query)),
                Effect::Evict { run } => self.work.evictions.push(run),
                Effect::Consumed { run, message_id } => {
                    let key = (run, message_id);
                    if self.known.remove(&key) {
                        self.store.send(Job::Discard {
                            run: key.0,
                            message_id: key.1,
                        });
                    }
                }
                Effect::Retain { closed_before } => self.store.send(Job::Retain { closed_before }),
            }
        }
    }

    fn take_append(&mut self, ticket: u64, append: Append) {
        for message in append.inbox.iter().chain(&append.outbox) {
            self.known.insert((message.run, message.message_id.clone()));
        }
        if !self.known.is_empty() {
            for message_id in &append.consumed_message_ids {
                self.known.remove(&(Some(append.run), message_id.clone()));
            }
            if let Some(new) = &append.create {
                self.known.remove(&(None, new.message_id.clone()));
            }
        }
        self.ready.push((ticket, append));
    }

    /// One append alone, while syncs are short and the store is idle, is left for
    /// [`Runtime::commit_inline`]: a wake-up on another core would cost more than the turn. All
    /// others go to the store thread, as one group.
    fn hand_over_appends(&mut self, more: bool) {
        let idle = !more && self.work.turns.is_empty();
        let alone = self.inline_commits && self.ready.len() == 1 && idle;
        if self.ready.is_empty() || (alone && self.store.is_idle() && self.store.syncs_are_short())
        {
            return;
        }
        self.store
            .send(Job::Append(std::mem::take(&mut self.ready)));
    }

    fn transport(&self, service: &str) -> Option<&Arc<dyn Transport>> {
        self.transports
            .iter()
            .find(|transport| transport.serves(service))
    }

    fn dispatch(&mut self, task: Task) {
        let Route::Service(service) = &task.route else {
            return self.work.tasks.push(task);
        };
        if let Some(transport) = self.transport(service) {
            return transport.dispatch(task);
        }
        let reason = format!("no transport reaches the service {service:?}: configure one");
        self.local.push_back(Input::Task(TaskReport {
            id: task.id,
            nonce: task.nonce,
            outcome: TaskOutcome::NotStarted {
                reason,
                retry_after: None,
            },
        }));
        self.handle.wake();
    }

    fn cancel(&self, service: &str, task: TaskId, reason: &str) {
        if let Some(transport) = self.transport(service) {
            transport.cancel(service, task, reason);
        }
    }

    /// A client's message with a fresh name for who waits; for hosts that number their clients.
    pub fn send(&mut self, message_id: MessageId, reply_to: Option<ReplyTo>, body: MessageBody) {
        self.submit(Input::Message(Message {
            message_id,
            reply_to,
            body,
        }));
    }
}
