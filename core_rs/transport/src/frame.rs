//! The frames that the engine writes, and those that it reads.

use std::time::Duration;

use perdure_engine::{Task, TaskOutcome, TaskReport};
use perdure_history::{Failure, FailureKind, Payload, TaskId, Timestamp};

use crate::document::{Builder, Document};
use crate::failure;
use crate::payload::{MAXIMUM_DEPTH, Refusal, from_json, validate};

/// The version of the envelope that this engine speaks.
pub(crate) const PROTOCOL: u64 = 0;

/// How payloads and documents are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The profile that every worker has.
    #[default]
    Json,
    /// The storage form.
    MessagePack,
}

impl Encoding {
    /// The name in `accept`, `welcome` and `Content-Type`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MessagePack => "application/msgpack",
        }
    }

    /// The encoding of that name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        [Self::Json, Self::MessagePack]
            .into_iter()
            .find(|encoding| encoding.name() == name)
    }

    /// The storage form of a body in this encoding, checked.
    pub(crate) fn read(self, body: &[u8], limit: usize) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Json => from_json(body, limit),
            Self::MessagePack => {
                validate(body, limit)?;
                Ok(body.to_vec())
            }
        }
    }
}

/// A worker's introduction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) protocol: u64,
    pub(crate) service: String,
    pub(crate) instance: String,
    pub(crate) concurrency: usize,
    pub(crate) activities: Vec<String>,
    pub(crate) accepts_message_pack: bool,
}

/// What a worker can send.
#[derive(Debug)]
pub(crate) enum WorkerFrame {
    Hello(Hello),
    Report(TaskReport),
    Liveness {
        instance: String,
        concurrency: usize,
        tasks: Vec<TaskId>,
    },
    Draining {
        instance: String,
    },
    /// A kind, or a reply to a task, that this engine does not know: passed over.
    Unknown,
}

/// Why a document cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a document could not be read: {0}")]
    Refused(#[from] Refusal),
    #[error("a document has no `frame`")]
    NoKind,
    #[error("a `{frame}` document has no `{field}`")]
    Missing {
        frame: &'static str,
        field: &'static str,
    },
}

impl WorkerFrame {
    /// Reads a document in storage form.
    pub(crate) fn read(data: &[u8]) -> Result<Self, FrameError> {
        let document = Document::read(data)?;
        let kind = document.text("frame").ok_or(FrameError::NoKind)?;
        Ok(match kind {
            "hello" => Self::Hello(hello(&document)?),
            "accepted" => reply(&document, "accepted", TaskOutcome::Accepted)?,
            "heartbeat" => {
                let details = document.payload("details");
                reply(&document, "heartbeat", TaskOutcome::Heartbeat { details })?
            }
            "result" => reply(&document, "result", result(document.payload("value")))?,
            "error" => {
                let error = document.raw("error").unwrap_or(&[0x80]);
                reply(&document, "error", error_outcome(error))?
            }
            "cancelled" => {
                let details = document.payload("details").map(as_list);
                reply(&document, "cancelled", TaskOutcome::Cancelled { details })?
            }
            "liveness" => Self::Liveness {
                instance: required(&document, "liveness", "instance")?.to_owned(),
                concurrency: concurrency(&document),
                tasks: document
                    .texts("tasks")
                    .into_iter()
                    .filter_map(TaskId::parse)
                    .collect(),
            },
            "draining" => Self::Draining {
                instance: required(&document, "draining", "instance")?.to_owned(),
            },
            _ => Self::Unknown,
        })
    }
}

fn required<'a>(
    document: &Document<'a>,
    frame: &'static str,
    field: &'static str,
) -> Result<&'a str, FrameError> {
    document
        .text(field)
        .ok_or(FrameError::Missing { frame, field })
}

fn concurrency(document: &Document<'_>) -> usize {
    usize::try_from(document.unsigned("concurrency").unwrap_or(1)).unwrap_or(1)
}

fn hello(document: &Document<'_>) -> Result<Hello, FrameError> {
    let activity = |item: &[u8]| {
        Document::read(item)
            .ok()
            .and_then(|activity| activity.text("name").map(str::to_owned))
    };
    Ok(Hello {
        protocol: document.unsigned("protocol").unwrap_or(0),
        service: required(document, "hello", "service")?.to_owned(),
        instance: required(document, "hello", "instance")?.to_owned(),
        concurrency: concurrency(document),
        activities: document
            .items("activities")
            .into_iter()
            .filter_map(activity)
            .collect(),
        accepts_message_pack: document
            .texts("accept")
            .contains(&Encoding::MessagePack.name()),
    })
}

fn reply(
    document: &Document<'_>,
    frame: &'static str,
    outcome: TaskOutcome,
) -> Result<WorkerFrame, FrameError> {
    let task = required(document, frame, "task")?;
    let nonce = document.text("nonce").unwrap_or("");
    Ok(match (TaskId::parse(task), parse_nonce(nonce)) {
        (Some(id), Some(nonce)) => WorkerFrame::Report(TaskReport { id, nonce, outcome }),
        _ => WorkerFrame::Unknown,
    })
}

/// A result whose payload is missing is null; one that is too deep is the worker's fault.
pub(crate) fn result(value: Option<Payload>) -> TaskOutcome {
    let value = value.unwrap_or_else(|| Payload(bytes::Bytes::from_static(&[0xc0])));
    match validate(&value.0, MAXIMUM_DEPTH) {
        Ok(()) => TaskOutcome::Completed { result: value },
        Err(refusal) => unencodable(&refusal),
    }
}

/// The outcome of a result that the protocol refuses.
pub(crate) fn unencodable(refusal: &Refusal) -> TaskOutcome {
    TaskOutcome::Failed {
        failure: Failure {
            kind: FailureKind::Application {
                type_name: "UnencodableResult".to_owned(),
                details: None,
                non_retryable: true,
                next_retry_delay: None,
            },
            message: format!("the worker's result was refused: {refusal}"),
            stack: String::new(),
            cause: None,
        },
    }
}

/// The outcome of an error document.
pub(crate) fn error_outcome(document: &[u8]) -> TaskOutcome {
    let empty = [0x80];
    let document = Document::read(document).or_else(|_| Document::read(&empty));
    let Ok(document) = document else {
        return TaskOutcome::NotStarted {
            reason: "unreadable error".to_owned(),
            retry_after: None,
        };
    };
    let error = failure::read(&document);
    if error.started {
        return TaskOutcome::Failed {
            failure: error.failure,
        };
    }
    let kind = document.text("type").unwrap_or("Error");
    TaskOutcome::NotStarted {
        reason: format!("{kind}: {}", error.failure.message),
        retry_after: document
            .unsigned("retry_after_ms")
            .map(Duration::from_millis),
    }
}

/// Cancellation details travel as one value, and are recorded as a list.
pub(crate) fn as_list(details: Payload) -> Payload {
    let mut list = vec![0x91];
    list.extend_from_slice(&details.0);
    Payload(list.into())
}

/// The nonce as it travels.
pub(crate) fn nonce_text(nonce: u64) -> String {
    format!("{nonce:016x}")
}

/// The nonce as it came back; `None` when it is none of ours.
pub(crate) fn parse_nonce(text: &str) -> Option<u64> {
    if text.len() == 16 {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

/// Unix milliseconds, 0 for never.
pub(crate) fn deadline_ms(task: &Task) -> u64 {
    if task.deadline == Timestamp::NEVER {
        0
    } else {
        millis(task.deadline)
    }
}

/// Unix milliseconds.
pub(crate) fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(0)
}

/// The heartbeat timeout in milliseconds, 0 for none.
pub(crate) fn heartbeat_ms(task: &Task) -> u64 {
    task.heartbeat_timeout.map_or(0, |span| {
        u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
    })
}

/// The `task` document.
pub(crate) fn task(task: &Task) -> Vec<u8> {
    Builder::frame("task")
        .unsigned("protocol", PROTOCOL)
        .text("task", &task.id.to_string())
        .text("nonce", &nonce_text(task.nonce))
        .text("activity", &task.activity)
        .text("namespace", &task.namespace)
        .text("workflow_id", &task.workflow_id)
        .text("workflow_type", &task.workflow_type)
        .text("run_id", &task.id.run.to_string())
        .unsigned("attempt", u64::from(task.id.attempt))
        .text("idempotency_key", &task.idempotency_key.to_string())
        .unsigned("fencing_token", task.fencing_token)
        .unsigned("scheduled_at_ms", millis(task.scheduled_at))
        .unsigned("deadline_ms", deadline_ms(task))
        .unsigned("heartbeat_timeout_ms", heartbeat_ms(task))
        .payload("heartbeat_details", task.heartbeat_details.as_ref())
        .document(
            "last_failure",
            task.last_failure.as_ref().map(failure::write),
        )
        .texts("headers", &task.headers)
        .payload("arguments", Some(&task.arguments))
        .finish()
}

/// The `welcome` document.
pub(crate) fn welcome(encoding: Encoding, liveness_interval_ms: u64) -> Vec<u8> {
    Builder::frame("welcome")
        .unsigned("protocol", PROTOCOL)
        .text("encoding", encoding.name())
        .text("engine", concat!("perdure/", env!("CARGO_PKG_VERSION")))
        .unsigned("liveness_interval_ms", liveness_interval_ms)
        .finish()
}

/// The `cancel` document.
pub(crate) fn cancel(task: TaskId, reason: &str) -> Vec<u8> {
    Builder::frame("cancel")
        .text("task", &task.to_string())
        .text("reason", reason)
        .finish()
}

/// The `inventory` document.
pub(crate) fn inventory() -> Vec<u8> {
    Builder::frame("inventory").finish()
}

/// The `drain` document.
pub(crate) fn drain() -> Vec<u8> {
    Builder::frame("drain").finish()
}

/// The `attach` document: from now on replies of the task go to `reply` under `nonce`.
pub(crate) fn attach(task: TaskId, nonce: u64, reply: &str) -> Vec<u8> {
    Builder::frame("attach")
        .text("task", &task.to_string())
        .text("nonce", &nonce_text(nonce))
        .text("reply", reply)
        .finish()
}
