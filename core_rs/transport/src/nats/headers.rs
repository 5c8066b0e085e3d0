//! The scalar fields of the envelope as NATS headers.

use async_nats::HeaderMap;
use perdure_engine::{Task, TaskOutcome, TaskReport};
use perdure_history::{Payload, TaskId};

use crate::document::Builder;
use crate::failure;
use crate::frame::{
    self, Encoding, PROTOCOL, as_list, deadline_ms, error_outcome, heartbeat_ms, millis,
    nonce_text, parse_nonce, result, unencodable,
};
use crate::payload::{MAXIMUM_DEPTH, MAXIMUM_DOCUMENT_DEPTH, to_json};

/// About how many bytes the headers take in a message.
pub(crate) fn encoded_bytes(headers: &HeaderMap) -> usize {
    const VERSION_LINES: usize = "NATS/1.0\r\n\r\n".len();
    let line = |(name, values): (&async_nats::HeaderName, &Vec<async_nats::HeaderValue>)| {
        let name: &str = name.as_ref();
        let each = |value: &async_nats::HeaderValue| name.len() + value.as_str().len() + 4;
        values.iter().map(each).sum::<usize>()
    };
    VERSION_LINES + headers.iter().map(line).sum::<usize>()
}

/// The headers of a task message.
pub(crate) fn of_task(task: &Task, encoding: Encoding) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str| headers.insert(name, percent_encoded(value));
    put("Content-Type", encoding.name());
    put("Pd-Protocol", &PROTOCOL.to_string());
    put("Pd-Task", &task.id.to_string());
    put("Pd-Nonce", &nonce_text(task.nonce));
    put("Pd-Activity", &task.activity);
    put("Pd-Namespace", &task.namespace);
    put("Pd-Workflow-Id", &task.workflow_id);
    put("Pd-Workflow-Type", &task.workflow_type);
    put("Pd-Run-Id", &task.id.run.to_string());
    put("Pd-Attempt", &task.id.attempt.to_string());
    put("Pd-Idempotency-Key", &task.idempotency_key.to_string());
    put("Pd-Fencing-Token", &task.fencing_token.to_string());
    put("Pd-Scheduled-At", &millis(task.scheduled_at).to_string());
    for (name, number) in [
        ("Pd-Deadline", deadline_ms(task)),
        ("Pd-Heartbeat", heartbeat_ms(task)),
    ] {
        if number > 0 {
            put(name, &number.to_string());
        }
    }
    for (name, value) in &task.headers {
        if name == "traceparent" {
            put("traceparent", value);
        } else if is_header_name(name) {
            put(&format!("Pd-H-{name}"), value);
        }
    }
    if let Some(context) = context(task, encoding) {
        headers.insert("Pd-Context", context);
    }
    headers
}

fn is_header_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// What a retry should know of the attempt before, base64 of a document.
fn context(task: &Task, encoding: Encoding) -> Option<String> {
    if task.heartbeat_details.is_none() && task.last_failure.is_none() {
        return None;
    }
    let document = Builder::default()
        .payload("heartbeat_details", task.heartbeat_details.as_ref())
        .document(
            "last_failure",
            task.last_failure.as_ref().map(failure::write),
        )
        .finish();
    let bytes = match encoding {
        Encoding::MessagePack => document,
        Encoding::Json => to_json(&document, MAXIMUM_DOCUMENT_DEPTH)
            .ok()?
            .into_bytes(),
    };
    Some(crate::payload::base64(&bytes))
}

/// Every byte outside `!`…`~`, and `%`, as `%XX`.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A reply message; `None` when it names no task of ours or a status that we do not know.
pub(crate) fn report(headers: &HeaderMap, body: &[u8]) -> Option<TaskReport> {
    let text = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
    let id = TaskId::parse(text("Pd-Task")?)?;
    let nonce = parse_nonce(text("Pd-Nonce")?)?;
    let encoding = text("Content-Type").map_or(Some(Encoding::Json), Encoding::of_name)?;
    let status = text("Pd-Status")?;
    Some(TaskReport {
        id,
        nonce,
        outcome: outcome(status, encoding, body)?,
    })
}

fn outcome(status: &str, encoding: Encoding, body: &[u8]) -> Option<TaskOutcome> {
    let payload = |limit: usize| {
        if body.is_empty() {
            return Ok(None);
        }
        encoding
            .read(body, limit)
            .map(|stored| Some(Payload(stored.into())))
    };
    Some(match status {
        "accepted" => TaskOutcome::Accepted,
        // Details that cannot be read are lost, but the worker lives.
        "heartbeat" => TaskOutcome::Heartbeat {
            details: payload(MAXIMUM_DEPTH).unwrap_or_default(),
        },
        "ok" => match payload(MAXIMUM_DEPTH) {
            Ok(value) => result(value),
            Err(refusal) => unencodable(&refusal),
        },
        "error" => match payload(MAXIMUM_DOCUMENT_DEPTH) {
            Ok(error) => error_outcome(error.as_ref().map_or(&[0x80], |error| &error.0)),
            Err(refusal) => unencodable(&refusal),
        },
        "cancelled" => {
            let details = payload(MAXIMUM_DEPTH).unwrap_or_default();
            TaskOutcome::Cancelled {
                details: details.map(as_list),
            }
        }
        _ => return None,
    })
}

/// The subject of a task; `None` when a name cannot stand in one.
pub(crate) fn subject(namespace: &str, service: &str, activity: &str) -> Option<String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let valid = plain(namespace) && plain(service) && activity.split('.').all(plain);
    valid.then(|| format!("pd.a.{namespace}.{service}.{activity}"))
}

/// The body of a task message.
pub(crate) fn body(task: &Task, encoding: Encoding) -> Option<bytes::Bytes> {
    match encoding {
        Encoding::MessagePack => Some(task.arguments.0.clone()),
        Encoding::Json => to_json(&task.arguments.0, MAXIMUM_DEPTH)
            .ok()
            .map(bytes::Bytes::from),
    }
}

/// A control document as it is published.
pub(crate) fn control(document: &[u8]) -> bytes::Bytes {
    to_json(document, MAXIMUM_DOCUMENT_DEPTH)
        .unwrap_or_default()
        .into()
}

/// A worker's document on the liveness subject.
pub(crate) fn announcement(body: &[u8]) -> Option<frame::WorkerFrame> {
    let stored = Encoding::Json.read(body, MAXIMUM_DOCUMENT_DEPTH).ok()?;
    frame::WorkerFrame::read(&stored).ok()
}
