//! The connection: sends what the engine asks, and turns what comes back into reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use perdure_engine::{Input, Lost, ReportSink, Route, Task, TaskOutcome, TaskReport};
use perdure_history::TaskId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::address::{NatsAddress, NatsError};
use super::pending::{Pending, Sent, Silence};
use super::{NatsOptions, Request, headers};
use crate::failure;
use crate::frame::{self, WorkerFrame};
use crate::service::Service;

/// The state of the connection's thread.
pub(super) struct Driver {
    client: Client,
    namespace: Arc<str>,
    options: NatsOptions,
    sink: ReportSink,
    /// Replies come to `<inbox>.<task>`.
    inbox: String,
    replies: Subscriber,
    announcements: Subscriber,
    services: BTreeMap<Arc<str>, Service>,
    /// The service of each instance, and when it was last heard of.
    instances: BTreeMap<String, (Arc<str>, Instant)>,
    pending: Pending,
}

impl Driver {
    pub(super) async fn connect(
        address: &NatsAddress,
        namespace: Arc<str>,
        options: NatsOptions,
        sink: ReportSink,
    ) -> Result<Self, NatsError> {
        let client = address.connect().await?;
        let inbox = client.new_inbox();
        let unreachable = |reason: String| NatsError::Unreachable {
            url: address.url.clone(),
            reason,
        };
        let replies = client.subscribe(format!("{inbox}.>")).await;
        let announcements = client.subscribe(format!("pd.l.{namespace}.*")).await;
        let driver = Self {
            namespace,
            options,
            sink,
            inbox,
            replies: replies.map_err(|error| unreachable(error.to_string()))?,
            announcements: announcements.map_err(|error| unreachable(error.to_string()))?,
            services: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: Pending::default(),
            client,
        };
        driver
            .client
            .flush()
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        Ok(driver)
    }

    /// Runs until the transport is dropped.
    pub(super) async fn run(mut self, mut requests: mpsc::UnboundedReceiver<Request>) {
        let mut tick = tokio::time::interval(self.options.tick);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    Some(request) => self.request(request).await,
                    None => break,
                },
                Some(message) = self.replies.next() => self.reply(&message),
                Some(message) = self.announcements.next() => self.announcement(&message),
                _ = tick.tick() => self.look_for_silence(),
            }
        }
        let _ = self.client.flush().await;
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
            Request::TakeInventory { service } => {
                self.control(&service, &frame::inventory()).await;
            }
            // Workers outlive the engine: they are told to drain by whoever stops them.
            Request::Drain => {
                let _ = self.client.flush().await;
            }
        }
    }

    async fn dispatch(&mut self, task: &Task) {
        let Route::Service(service) = &task.route else {
            return;
        };
        let encoding = self
            .services
            .get(service)
            .map(Service::encoding)
            .unwrap_or_default();
        let refused = |reason: &str| TaskOutcome::NotStarted {
            reason: reason.to_owned(),
        };
        let Some(subject) = headers::subject(&self.namespace, service, &task.activity) else {
            let reason = "the names of namespace, service and activity must fit a NATS subject";
            return self.report(task.id, task.nonce, refused(reason));
        };
        let Some(body) = headers::body(task, encoding) else {
            return self.report(task.id, task.nonce, refused("the arguments cannot be sent"));
        };
        let limit = self.client.server_info().max_payload;
        if body.len() + 8 * 1024 > limit {
            return self.report(task.id, task.nonce, failure::too_large(limit));
        }
        let held = self.services.get(service).is_some_and(|known| {
            known
                .instances
                .values()
                .any(|instance| instance.held.contains(&task.id))
        });
        let sent = Sent {
            nonce: task.nonce,
            service: Arc::clone(service),
            accepted: held,
            heard_at: Instant::now(),
        };
        self.pending.sent(task.id, sent);
        let reply = format!("{}.{}", self.inbox, task.id);
        if held {
            // A worker already has it from an engine before this one: it must not run twice.
            return self.control(service, &frame::attach(task, &reply)).await;
        }
        let headers = headers::of_task(task, encoding);
        let published = self
            .client
            .publish_with_reply_and_headers(subject, reply, headers, body)
            .await;
        if published.is_err() {
            self.pending.done(&task.id);
            self.report(
                task.id,
                task.nonce,
                refused("the message could not be published"),
            );
        }
    }

    async fn control(&self, service: &str, document: &[u8]) {
        let subject = format!("pd.c.{}.{service}", self.namespace);
        // Control frames may be lost: the engine repeats them.
        let _ = self
            .client
            .publish(subject, headers::control(document))
            .await;
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
                self.pending.done(&report.id);
            }
        }
        self.sink.send(Input::Task(report));
    }

    fn no_responders(&mut self, message: &Message) {
        let prefix = self.inbox.len() + 1;
        let Some(id) = message.subject.get(prefix..).and_then(TaskId::parse) else {
            return;
        };
        if let Some(sent) = self.pending.done(&id) {
            let reason = format!("no worker of {} is connected", sent.service);
            self.report(id, sent.nonce, TaskOutcome::NotStarted { reason });
        }
    }

    fn announcement(&mut self, message: &Message) {
        let Some(service) = message.subject.rsplit('.').next() else {
            return;
        };
        let service: Arc<str> = service.into();
        let now = Instant::now();
        match headers::announcement(&message.payload) {
            Some(WorkerFrame::Hello(hello)) if *hello.service == *service => {
                self.instances
                    .insert(hello.instance.clone(), (Arc::clone(&service), now));
                self.services
                    .entry(Arc::clone(&service))
                    .or_default()
                    .hello(hello);
            }
            Some(WorkerFrame::Liveness {
                instance,
                concurrency,
                tasks,
            }) => {
                for task in &tasks {
                    self.pending.heard(*task, now);
                }
                self.liveness(&service, &instance, concurrency, tasks, now);
            }
            Some(WorkerFrame::Draining { instance }) => {
                let known = self.services.get_mut(&service);
                if let Some(known) = known.and_then(|known| known.instances.get_mut(&instance)) {
                    known.draining = true;
                }
            }
            // Garbage on a shared subject is nobody's answer.
            _ => return,
        }
        self.report_service(&service);
    }

    fn liveness(
        &mut self,
        service: &Arc<str>,
        instance: &str,
        concurrency: usize,
        tasks: Vec<TaskId>,
        now: Instant,
    ) {
        let known = self.services.get_mut(service);
        match known.and_then(|known| known.instances.get_mut(instance)) {
            Some(known) => {
                known.concurrency = concurrency.max(1);
                known.held = tasks.into_iter().collect();
                self.instances
                    .insert(instance.to_owned(), (Arc::clone(service), now));
            }
            None => {
                // It was here before this engine: its activities and encodings are still unknown.
                let client = self.client.clone();
                let subject = format!("pd.c.{}.{service}", self.namespace);
                tokio::spawn(async move {
                    let _ = client
                        .publish(subject, headers::control(&frame::inventory()))
                        .await;
                });
            }
        }
    }

    fn report_service(&self, service: &Arc<str>) {
        if let Some(known) = self.services.get(service) {
            self.sink.send(Input::Service(known.report(service)));
        }
    }

    fn report(&self, id: TaskId, nonce: u64, outcome: TaskOutcome) {
        self.sink
            .send(Input::Task(TaskReport { id, nonce, outcome }));
    }

    fn look_for_silence(&mut self) {
        let now = Instant::now();
        let NatsOptions {
            accept_timeout,
            silence,
            ..
        } = self.options;
        for (id, sent, kind) in self.pending.silent(now, accept_timeout, silence) {
            let outcome = match kind {
                Silence::Lost => TaskOutcome::Lost(Lost::Disconnected),
                Silence::NeverAccepted => TaskOutcome::NotStarted {
                    reason: format!("no worker of {} answered", sent.service),
                },
            };
            self.report(id, sent.nonce, outcome);
        }
        let gone: Vec<String> = self
            .instances
            .iter()
            .filter(|(_, (_, heard_at))| now.duration_since(*heard_at) > silence)
            .map(|(instance, _)| instance.clone())
            .collect();
        for instance in gone {
            if let Some((service, _)) = self.instances.remove(&instance) {
                if let Some(known) = self.services.get_mut(&service) {
                    known.instances.remove(&instance);
                }
                self.report_service(&service);
            }
        }
    }
}
