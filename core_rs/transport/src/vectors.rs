//! Documents, headers and errors, held against the protocol's golden vectors.

use std::sync::Arc;
use std::time::Duration;

use perdure_engine::{Route, Task, TaskOutcome};
use perdure_history::{Digest, Failure, FailureKind, IdempotencyKey, Payload, TaskId, Timestamp};
use serde_json::Value;

use crate::document::Document;
use crate::frame::{self, Encoding, WorkerFrame};
use crate::nats::headers;
use crate::payload::{MAXIMUM_DOCUMENT_DEPTH, from_json, to_json};

/// The nonce of the vectors, and one in this engine's own form.
const NONCES: (&str, &str) = ("q3Zt9-_fA0", "0123456789abcdef");
const TASK: &str = "019abcdef01273458678abcdef012345.7.2";

pub(crate) fn vectors(name: &str) -> Vec<Value> {
    let path = format!(
        "{}/../../bridges/protocol/vectors/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn stored(json: &str) -> Vec<u8> {
    from_json(json.as_bytes(), MAXIMUM_DOCUMENT_DEPTH).unwrap()
}

/// A document as plain JSON, with the vectors' nonce in place of ours.
fn plain(document: &[u8]) -> Value {
    let text = to_json(document, MAXIMUM_DOCUMENT_DEPTH).unwrap();
    serde_json::from_str(&text.replace(NONCES.1, NONCES.0)).unwrap()
}

/// What a worker's document in JSON is read as.
fn read(json: &str) -> Result<WorkerFrame, frame::FrameError> {
    WorkerFrame::read(&stored(&json.replace(NONCES.0, NONCES.1)))
}

fn task() -> Task {
    let id = TaskId::parse(TASK).unwrap();
    let failure = Failure {
        kind: FailureKind::Application {
            type_name: "TimeoutError".to_owned(),
            details: None,
            non_retryable: false,
            next_retry_delay: None,
        },
        message: "heartbeat".to_owned(),
        stack: String::new(),
        cause: None,
    };
    Task {
        id,
        nonce: u64::from_str_radix(NONCES.1, 16).unwrap(),
        route: Route::Service(Arc::from("goaudit")),
        activity: Arc::from("source.analyze"),
        namespace: Arc::from("default"),
        workflow_id: Arc::from("audit/café 100%"),
        workflow_type: Arc::from("audit"),
        idempotency_key: IdempotencyKey {
            origin: id.run,
            n: id.n,
            digest: Digest(0x5f2c_9a01 << 96),
        },
        fencing_token: u64::MAX,
        scheduled_at: Timestamp::from_micros(1_795_470_840_123_000),
        deadline: Timestamp::from_micros(1_795_474_440_123_000),
        heartbeat_timeout: Some(Duration::from_secs(30)),
        heartbeat_details: Some(Payload(stored(r#"{"done":41}"#).into())),
        last_failure: Some(failure),
        local: false,
        session: None,
        headers: [
            (
                "traceparent",
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            ),
            ("tenant", "bär"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec(),
        arguments: Payload(
            stored(
                r#"["main.go",{"$$depth":{"$int":"9007199254740992"},"unknown":null},
                {"$bytes":"AP8="},1.0,{"$timestamp":"2026-11-23T21:54:00.000000005Z"},
                {"$duration":"90000000000"},{"$decimal":"9.90"},
                {"$uuid":"019abcde-f012-7345-8678-9abcdef01234"}]"#,
            )
            .into(),
        ),
    }
}

fn vector(file: &str, name: &str) -> Value {
    let found = vectors(file).into_iter().find(|each| each["name"] == name);
    found.unwrap_or_else(|| panic!("no vector {name}"))
}

fn vector_document(name: &str) -> Value {
    serde_json::from_str(vector("frames.json", name)["json"].as_str().unwrap()).unwrap()
}

#[test]
fn both_forms_of_each_frame_are_one_document() {
    for vector in vectors("frames.json") {
        let name = vector["name"].as_str().unwrap();
        let json = vector["json"].as_str().unwrap();
        if let Some(packed) = vector.get("msgpack_frame_hex") {
            let framed = bytes(packed);
            assert_eq!(framed[4..], stored(json), "{name}");
            let written = crate::stdio::framing::encode(&stored(json), Encoding::MessagePack);
            assert_eq!(written.unwrap(), framed, "{name}");
        }
        let mut framed = std::io::Cursor::new(bytes(&vector["json_frame_hex"]));
        let body = crate::stdio::framing::read(&mut framed).unwrap().unwrap();
        assert_eq!(
            Encoding::Json.read(&body, MAXIMUM_DOCUMENT_DEPTH),
            Ok(stored(json)),
            "{name}"
        );
    }
}

#[test]
fn each_frame_of_a_worker_is_read_ignored_or_refused_as_it_says() {
    let mut count = 0;
    for vector in vectors("frames.json") {
        if vector["direction"] != "worker → engine" {
            continue;
        }
        count += 1;
        let name = vector["name"].as_str().unwrap();
        let frame = read(vector["json"].as_str().unwrap());
        if vector["malformed"] == true {
            assert!(frame.is_err(), "{name}");
        } else if vector["ignored"] == true {
            assert!(matches!(frame, Ok(WorkerFrame::Unknown)), "{name}");
        } else {
            assert!(!matches!(frame.unwrap(), WorkerFrame::Unknown), "{name}");
        }
    }
    assert!(count > 10);
}

#[test]
fn the_fields_of_a_workers_frames_arrive() {
    let json = |name: &str| {
        vector("frames.json", name)["json"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let WorkerFrame::Hello(hello) = read(&json("hello")).unwrap() else {
        panic!("no hello");
    };
    assert_eq!((hello.service.as_str(), hello.concurrency), ("goaudit", 64));
    assert_eq!(hello.activities, ["source.analyze", "echo"]);
    assert!(hello.accepts_message_pack);
    let WorkerFrame::Hello(hello) = read(&json("hello_minimal")).unwrap() else {
        panic!("no hello");
    };
    assert_eq!((hello.concurrency, hello.accepts_message_pack), (1, false));
    let WorkerFrame::Liveness { tasks, .. } = read(&json("liveness")).unwrap() else {
        panic!("no liveness");
    };
    assert_eq!(tasks, [TaskId::parse(TASK).unwrap()]);
    let WorkerFrame::Report(report) = read(&json("result_without_value")).unwrap() else {
        panic!("no report");
    };
    let null = Payload(stored("null").into());
    assert_eq!(report.outcome, TaskOutcome::Completed { result: null });
    let WorkerFrame::Report(report) = read(&json("cancelled_details")).unwrap() else {
        panic!("no report");
    };
    let details = Some(Payload(stored("[[1,null]]").into()));
    assert_eq!(report.outcome, TaskOutcome::Cancelled { details });
}

#[test]
fn the_engines_frames_are_those_of_the_vectors() {
    let id = TaskId::parse(TASK).unwrap();
    let nonce = task().nonce;
    let mut expected = vector_document("task");
    // A key that cannot be a header's name never reaches an engine's task.
    expected["headers"].as_object_mut().unwrap().remove("$$x");
    let failure = expected["last_failure"].as_object_mut().unwrap();
    failure.insert("stack".to_owned(), Value::from(""));
    assert_eq!(plain(&frame::task(&task())), expected);
    assert_eq!(plain(&frame::inventory()), vector_document("inventory"));
    assert_eq!(plain(&frame::drain()), vector_document("drain"));
    let cancel = frame::cancel(id, "the workflow cancelled it");
    assert_eq!(plain(&cancel), vector_document("cancel"));
    let welcome = plain(&frame::welcome(Encoding::MessagePack, 5_000));
    assert_eq!(welcome, vector_document("welcome"));
    let mut attach = vector_document("attach");
    attach["nonce"] = Value::from(NONCES.0);
    assert_eq!(plain(&frame::attach(id, nonce, "_INBOX.engine2.r")), attach);
}

#[test]
fn a_task_message_is_that_of_the_vectors() {
    for (name, encoding) in [
        ("task_json", Encoding::Json),
        ("task_msgpack", Encoding::MessagePack),
    ] {
        let vector = vector("nats.json", name);
        let subject = headers::subject("default", "goaudit", "source.analyze").unwrap();
        assert_eq!(subject, vector["subject"].as_str().unwrap());
        let written = headers::of_task(&task(), encoding);
        for (header, value) in vector["headers"].as_object().unwrap() {
            let found = written.get(header.as_str()).unwrap().as_str();
            match header.as_str() {
                "Pd-Nonce" => assert_eq!(found, NONCES.1),
                // An engine also writes the empty stack.
                "Pd-Context" => assert!(!found.is_empty()),
                _ => assert_eq!(found, value.as_str().unwrap(), "{name} {header}"),
            }
        }
        assert_eq!(written.len(), vector["headers"].as_object().unwrap().len());
        let body = headers::body(&task(), encoding).unwrap();
        match vector["body_text"].as_str() {
            Some(text) => assert_eq!(body, text.as_bytes(), "{name}"),
            None => assert_eq!(body, bytes(&vector["body_hex"]), "{name}"),
        }
    }
}

#[test]
fn each_reply_message_says_what_its_document_says() {
    let mut count = 0;
    for vector in vectors("nats.json") {
        if vector["headers"].get("Pd-Status").is_none() {
            continue;
        }
        count += 1;
        let name = vector["name"].as_str().unwrap();
        let mut message = async_nats::HeaderMap::new();
        for (header, value) in vector["headers"].as_object().unwrap() {
            message.insert(
                header.as_str(),
                value.as_str().unwrap().replace(NONCES.0, NONCES.1),
            );
        }
        let body = match vector["body_text"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => bytes(&vector["body_hex"]),
        };
        let report = headers::report(&message, &body).unwrap();
        let WorkerFrame::Report(expected) = read(vector["frame"].as_str().unwrap()).unwrap() else {
            panic!("{name} is no report");
        };
        assert_eq!(report, expected, "{name}");
    }
    assert!(count >= 8);
}

#[test]
fn garbage_in_a_reply_names_no_task_or_fails_that_task_alone() {
    let reply = |entries: &[(&str, &str)], body: &[u8]| {
        let mut message = async_nats::HeaderMap::new();
        for (name, value) in entries {
            message.insert(*name, *value);
        }
        headers::report(&message, body)
    };
    let (task, nonce) = (("Pd-Task", TASK), ("Pd-Nonce", NONCES.1));
    assert_eq!(reply(&[nonce, ("Pd-Status", "ok")], b"1"), None);
    assert_eq!(reply(&[task, nonce, ("Pd-Status", "sung")], b"1"), None);
    assert_eq!(
        reply(&[task, ("Pd-Nonce", "x"), ("Pd-Status", "ok")], b"1"),
        None
    );
    let garbage = reply(&[task, nonce, ("Pd-Status", "ok")], b"\xff\xfe").unwrap();
    let TaskOutcome::Failed { failure } = garbage.outcome else {
        panic!("garbage is no result");
    };
    assert!(failure.message.contains("refused"), "{}", failure.message);
}

#[test]
fn errors_are_read_with_their_defaults_and_causes() {
    for vector in vectors("errors.json") {
        let name = vector["name"].as_str().unwrap();
        let encoded = bytes(&vector["msgpack_hex"]);
        assert_eq!(stored(vector["json"].as_str().unwrap()), encoded, "{name}");
        let json: Value = serde_json::from_str(vector["json"].as_str().unwrap()).unwrap();
        let failure = match frame::error_outcome(&encoded) {
            TaskOutcome::Failed { failure } => failure,
            TaskOutcome::NotStarted {
                reason,
                retry_after,
            } => {
                assert_eq!(name, "busy");
                assert_eq!(retry_after, Some(Duration::from_millis(100)));
                assert_eq!(reason, "Busy: all 4 slots are taken");
                continue;
            }
            other => panic!("{name}: {other:?}"),
        };
        let mut at = (Some(&failure), &json);
        while let (Some(failure), expected) = at {
            let type_name = expected["type"].as_str().unwrap_or("Error");
            let FailureKind::Application {
                type_name: found,
                non_retryable,
                ..
            } = &failure.kind
            else {
                panic!("{name} is an application's failure");
            };
            assert_eq!(found, type_name, "{name}");
            assert_eq!(
                failure.message,
                expected["message"].as_str().unwrap_or(""),
                "{name}"
            );
            assert_eq!(
                failure.stack,
                expected["stack"].as_str().unwrap_or(""),
                "{name}"
            );
            assert_eq!(*non_retryable, expected["retryable"] == false, "{name}");
            at = (failure.cause.as_deref(), &expected["cause"]);
        }
        assert!(at.1.is_null(), "{name}: every cause is there");
        // What was read is written again with the same meaning.
        let again = crate::failure::write(&failure).finish();
        let read = crate::failure::read(&Document::read(&again).unwrap()).failure;
        assert_eq!(
            (&read.message, &read.cause.is_some()),
            (&failure.message, &failure.cause.is_some())
        );
    }
}
