//! The connection: sends what the engine asks, and turns what comes back into reports.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Event, Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use perdure_engine::{
    Input, Lost, ReportSink, Route, ServiceReport, Task, TaskOutcome, TaskReport,
};
use perdure_history::TaskId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::address::{NatsAddress, NatsError};
use super::fleet::Fleet;
use super::pending::{Pending, Sent, Silence};
use super::{NatsOptions, Request, headers};
use crate::failure;
use crate::frame::{self, WorkerFrame};

/// How long the end waits for what is still on its way to the server.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How many times shorter a payload can be in JSON than in its storage form: a float, which has 9
/// bytes there, has 3 characters and a comma at least. What is longer needs no encoding.
const MAXIMUM_SHRINKING: usize = 3;

/// The state of the connection's thread.
pub(super) struct Driver {
    client: Client,
    url: String,
    namespace: Arc<str>,
    options: NatsOptions,
    sink: ReportSink,
    /// Replies come to `<inbox>.<task>`.
    inbox: String,
    replies: Subscriber,
    announcements: Subscriber,
    fleet: Fleet,
    pending: Pending,
    connected: bool,
    /// When silence was last looked for.
    looked_at: Instant,
}

impl Driver {
    pub(super) async fn connect(
        address: &NatsAddress,
        namespace: Arc<str>,
        options: NatsOptions,
        sink: ReportSink,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Event>), NatsError> {
        let (client, events) = address.connect().await?;
        let inbox = client.new_inbox();
        let unreachable = |reason: String| NatsError::Unreachable {
            url: address.url.clone(),
            reason,
        };
        let replies = client.subscribe(format!("{inbox}.>")).await;
        let announcements = client.subscribe(format!("pd.l.{namespace}.*")).await;
        let driver = Self {
            url: address.url.clone(),
            namespace,
            options,
            sink,
            inbox,
            replies: replies.map_err(|error| unreachable(error.to_string()))?,
            announcements: announcements.map_err(|error| unreachable(error.to_string()))?,
            fleet: Fleet::default(),
            pending: Pending::default(),
            connected: true,
            looked_at: Instant::now(),
            client,
        };
        driver
            .client
            .flush()
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        Ok((driver, events))
    }

    /// Runs until the transport is dropped.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::UnboundedReceiver<Request>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        let mut tick = tokio::time::interval(self.options.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                Some(event) = events.recv() => self.event(&event).await,
                request = requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    None => break,
                },
                Some(message) = self.replies.next() => self.reply(&message),
                Some(message) = self.announcements.next() => self.announcement(&message).await,
                _ = tick.tick() => self.look_for_silence(),
            }
        }
        let _ = tokio::time::timeout(FLUSH_TIMEOUT, self.client.flush()).await;
    }

    async fn event(&mut self, event: &Event) {
        match event {
            Event::Disconnected => {
                self.connected = false;
                // What cannot be sent waits in the engine's lines, not in a buffer here.
                for service in self.fleet.services() {
                    self.report_service(&service, |report| report.slots = 0);
                }
            }
            Event::Connected if !self.connected => {
                self.connected = true;
                let now = Instant::now();
                self.pending.heard_nothing_until(now);
                self.fleet.heard_nothing_until(now);
                // Replies may have passed while this end was not listening.
                for (task, sent) in self.pending.all() {
                    self.attach(&sent.service, task, sent.nonce).await;
                }
                for service in self.fleet.services() {
                    self.control(&service, &frame::inventory()).await;
                    self.report_service(&service, |_| ());
                }
            }
            Event::ServerError(error) => {
                eprintln!("perdure: the NATS server at {} says: {error}", self.url);
            }
            _ => {}
        }
    }

    async fn request(&mut self, request: Request) {
        match request {
            Request::Dispatch(task) => self.dispatch(&task).await,
            Request::Cancel {
                service,
                task,
                reason,
            } => {
                self.control(&service, &frame::cancel(task, &reason)).await;
            }
            Request::TakeInventory { service, awaited } => {
                self.take_inventory(&service.into(), awaited).await;
            }
            // Workers outlive the engine: they are told to drain by whoever stops them.
            Request::Drain => {}
        }
    }

    /// Who holds one of the tasks, or keeps its outcome, is to answer this engine.
    async fn take_inventory(&mut self, service: &Arc<str>, awaited: Vec<(TaskId, u64)>) {
        self.fleet.meet(service);
        for (task, nonce) in awaited {
            let sent = Sent {
                nonce,
                service: Arc::clone(service),
                accepted: true,
                heard_at: Instant::now(),
            };
            self.pending.sent_before(task, sent);
            self.attach(service, task, nonce).await;
        }
        self.control(service, &frame::inventory()).await;
    }

    async fn dispatch(&mut self, task: &Task) {
        let Route::Service(service) = &task.route else {
            return;
        };
        if !self.connected {
            self.fleet.meet(service);
            self.report_service(service, |report| report.slots = 0);
            return self.refuse(task, format!("the NATS server at {} is away", self.url));
        }
        if self.fleet.meet(service) {
            self.control(service, &frame::inventory()).await;
        }
        if self.fleet.holds(service, &task.id) {
            // Its acceptance came too late: it must not run twice.
            let held = vec![(task.id, task.nonce)];
            return self.take_inventory(service, held).await;
        }
        let encoding = self.fleet.encoding(service);
        let Some(subject) = headers::subject(&self.namespace, service, &task.activity) else {
            let reason = "the names of namespace, service and activity must fit a NATS subject";
            return self.refuse(task, reason.to_owned());
        };
        let limit = self.client.server_info().max_payload;
        let too_large = || failure::too_large(limit, ", or run the service over stdio");
        if task.arguments.0.len() / MAXIMUM_SHRINKING > limit {
            return self.report(task.id, task.nonce, too_large());
        }
        let Some(body) = headers::body(task, encoding) else {
            return self.refuse(task, "the arguments cannot be sent".to_owned());
        };
        let headers = headers::of_task(task, encoding);
        if headers::encoded_bytes(&headers) + body.len() > limit {
            return self.report(task.id, task.nonce, too_large());
        }
        let sent = Sent {
            nonce: task.nonce,
            service: Arc::clone(service),
            accepted: false,
            heard_at: Instant::now(),
        };
        self.pending.sent(task.id, sent);
        let reply = self.reply_subject(task.id);
        let published = self
            .client
            .publish_with_reply_and_headers(subject, reply, headers, body)
            .await;
        if let Err(error) = published {
            self.pending.done(&task.id, task.nonce);
            self.refuse(task, format!("the message could not be published: {error}"));
        }
    }

    fn reply_subject(&self, task: TaskId) -> String {
        format!("{}.{task}", self.inbox)
    }

    async fn attach(&self, service: &str, task: TaskId, nonce: u64) {
        let document = frame::attach(task, nonce, &self.reply_subject(task));
        self.control(service, &document).await;
    }

    /// Control frames may be lost, and the engine repeats them: without a server they are dropped.
    async fn control(&self, service: &str, document: &[u8]) {
        if self.connected {
            let subject = format!("pd.c.{}.{service}", self.namespace);
            let document = headers::control(document);
            let _ = self.client.publish(subject, document).await;
        }
    }

    fn reply(&mut self, message: &Message) {
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return self.no_responders(message);
        }
        let Some(headers) = &message.headers else {
            return;
        };
        let Some(report) = headers::report(headers, &message.payload) else {
            return;
        };
        match report.outcome {
            TaskOutcome::Accepted | TaskOutcome::Heartbeat { .. } => {
                self.pending.heard(report.id, Instant::now());
            }
            _ => {
                self.pending.done(&report.id, report.nonce);
            }
        }
        self.sink.send(Input::Task(report));
    }

    fn no_responders(&mut self, message: &Message) {
        let prefix = self.inbox.len() + 1;
        let Some(id) = message.subject.get(prefix..).and_then(TaskId::parse) else {
            return;
        };
        let Some(sent) = self.pending.unanswered(&id) else {
            return;
        };
        let reason = format!("no worker of {} hosts it", sent.service);
        self.report(id, sent.nonce, not_started(reason));
        if self.fleet.nobody_answers(&sent.service, Instant::now()) {
            self.report_service(&sent.service, |_| ());
        }
    }

    async fn announcement(&mut self, message: &Message) {
        let Some(service) = message.subject.rsplit('.').next() else {
            return;
        };
        let service: Arc<str> = service.into();
        let now = Instant::now();
        match headers::announcement(&message.payload) {
            Some(WorkerFrame::Hello(hello)) if *hello.service == *service => {
                self.fleet.hello(&service, hello, now);
            }
            Some(WorkerFrame::Liveness {
                instance,
                concurrency,
                tasks,
            }) => {
                for task in &tasks {
                    self.pending.heard(*task, now);
                }
                let fleet = &mut self.fleet;
                if !fleet.liveness(&service, &instance, concurrency, tasks, now) {
                    // It was here before this engine: what it hosts and reads is still unknown.
                    self.control(&service, &frame::inventory()).await;
                }
            }
            Some(WorkerFrame::Draining { instance }) => self.fleet.draining(&service, &instance),
            // Garbage on a shared subject is nobody's answer.
            _ => return,
        }
        self.report_service(&service, |_| ());
    }

    fn report_service(&self, service: &Arc<str>, change: impl FnOnce(&mut ServiceReport)) {
        if let Some(mut report) = self.fleet.report(service) {
            change(&mut report);
            self.sink.send(Input::Service(report));
        }
    }

    fn report(&self, id: TaskId, nonce: u64, outcome: TaskOutcome) {
        self.sink
            .send(Input::Task(TaskReport { id, nonce, outcome }));
    }

    fn refuse(&self, task: &Task, reason: String) {
        self.report(task.id, task.nonce, not_started(reason));
    }

    fn look_for_silence(&mut self) {
        if !self.connected {
            return;
        }
        let now = Instant::now();
        let NatsOptions {
            accept_timeout,
            silence,
            ..
        } = self.options;
        // An end that was itself stopped for a while has heard nothing, whoever spoke.
        if now.duration_since(self.looked_at) > accept_timeout {
            self.pending.heard_nothing_until(now);
            self.fleet.heard_nothing_until(now);
        }
        self.looked_at = now;
        for (id, sent, kind) in self.pending.silent(now, accept_timeout, silence) {
            let outcome = match kind {
                Silence::Lost => TaskOutcome::Lost(Lost::Disconnected),
                Silence::NeverAccepted => {
                    not_started(format!("no worker of {} answered", sent.service))
                }
            };
            self.report(id, sent.nonce, outcome);
        }
        for service in self.fleet.forget_silent(now, silence) {
            self.report_service(&service, |_| ());
        }
        for probe in self.fleet.probes(now) {
            self.sink.send(Input::Service(probe));
        }
    }
}

fn not_started(reason: String) -> TaskOutcome {
    TaskOutcome::NotStarted {
        reason,
        retry_after: None,
    }
}
