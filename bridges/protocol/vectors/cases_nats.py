"""Tasks and replies as NATS messages: headers and body."""

from dataclasses import dataclass, field
from typing import Any

from cases_frames import INSTANCE, NONCE, RUN, TASK, full_task, nested
from json_profile import encoded_base64

JSON = "application/json"
MSGPACK = "application/msgpack"


@dataclass
class Body:
    value: Any


@dataclass
class Message:
    name: str
    subject: str
    headers: dict[str, str]
    body: Body | None
    frame: dict[str, Any] | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


def nats_cases() -> list[Message]:
    return [*tasks(), *replies(), *control(), *odd()]


def full_headers(encoding: str) -> dict[str, str]:
    task = full_task()
    context = {key: task[key] for key in ("heartbeat_details", "last_failure")}
    return {
        "Content-Type": encoding,
        "Pd-Protocol": "0",
        "Pd-Task": TASK,
        "Pd-Nonce": NONCE,
        "Pd-Activity": "source.analyze",
        "Pd-Namespace": "default",
        "Pd-Workflow-Id": "audit/caf%C3%A9%20100%25",
        "Pd-Workflow-Type": "audit",
        "Pd-Run-Id": RUN,
        "Pd-Attempt": "2",
        "Pd-Idempotency-Key": f"{RUN}.7.5f2c9a01",
        "Pd-Fencing-Token": "18446744073709551615",
        "Pd-Scheduled-At": "1795470840123",
        "Pd-Deadline": "1795474440123",
        "Pd-Heartbeat": "30000",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "Pd-H-tenant": "b%C3%A4r",
        "Pd-Context": encoded_base64(context, encoding),
    }


def tasks() -> list[Message]:
    subject = "pd.a.default.goaudit.source.analyze"
    # A header name cannot begin with $, so this entry of the stdio example stays at home.
    frame = full_task() | {
        "headers": {k: v for k, v in full_task()["headers"].items() if k != "$x"}
    }
    body = Body(frame["arguments"])
    minimal = {"Pd-Task": f"{RUN}.1.1"}
    bare = {"frame": "task", "task": f"{RUN}.1.1", "activity": "echo"}
    return [
        Message("task_json", subject, full_headers(JSON), body, frame),
        Message("task_msgpack", subject, full_headers(MSGPACK), body, frame),
        Message(
            "task_minimal",
            "pd.a.default.goaudit.echo",
            minimal,
            Body([]),
            bare,
            {"note": "without Pd-Activity the subject names it; without Content-Type it is JSON"},
        ),
        Message(
            "task_unknown_header",
            "pd.a.default.goaudit.echo",
            minimal | {"Pd-Colour": "blue", "Other": "x"},
            Body([1]),
            bare | {"arguments": [1]},
        ),
    ]


def replies() -> list[Message]:
    inbox = "_INBOX.engine.42"
    reply = {"Pd-Task": TASK, "Pd-Nonce": NONCE}
    tied = {"task": TASK, "nonce": NONCE}
    value = {"functions": 3, "ratio": 1.0, "raw": b"\x01"}
    done = {"done": 42}
    messages: list[Message] = [
        Message(
            "accepted", inbox, reply | {"Pd-Status": "accepted"}, None, {"frame": "accepted"} | tied
        ),
        Message(
            "heartbeat_bare",
            inbox,
            reply | {"Pd-Status": "heartbeat"},
            None,
            {"frame": "heartbeat"} | tied,
        ),
        Message(
            "cancelled",
            inbox,
            reply | {"Pd-Status": "cancelled"},
            None,
            {"frame": "cancelled"} | tied,
        ),
    ]
    for name, encoding in (("json", JSON), ("msgpack", MSGPACK)):
        typed = reply | {"Content-Type": encoding}
        messages += [
            Message(
                f"heartbeat_{name}",
                inbox,
                typed | {"Pd-Status": "heartbeat"},
                Body(done),
                {"frame": "heartbeat"} | tied | {"details": done},
            ),
            Message(
                f"ok_{name}",
                inbox,
                typed | {"Pd-Status": "ok"},
                Body(value),
                {"frame": "result"} | tied | {"value": value},
            ),
            Message(
                f"error_{name}",
                inbox,
                typed | {"Pd-Status": "error"},
                Body(nested()),
                {"frame": "error"} | tied | {"error": nested()},
            ),
        ]
    return messages


def control() -> list[Message]:
    cancel = {"frame": "cancel", "task": TASK, "reason": "the workflow cancelled it"}
    liveness = {"frame": "liveness", "instance": INSTANCE, "concurrency": 64, "tasks": [TASK]}
    return [
        Message("cancel", "pd.c.default.goaudit", {}, Body(cancel), cancel),
        Message("liveness", "pd.l.default.goaudit", {}, Body(liveness), liveness),
    ]


def odd() -> list[Message]:
    subject = "pd.a.default.goaudit.echo"
    refused = {"refused": "InvalidArguments"}
    task = {"Pd-Task": f"{RUN}.1.1", "Pd-Nonce": "n"}
    return [
        Message("arguments_no_list", subject, task, Body({"a": 1}), None, refused),
        Message(
            "attempt_no_number", subject, task | {"Pd-Attempt": "two"}, Body([]), None, refused
        ),
        Message(
            "encoding_unknown",
            subject,
            task | {"Content-Type": "text/plain"},
            Body([]),
            None,
            refused,
        ),
        Message("context_garbage", subject, task | {"Pd-Context": "!!"}, Body([]), None, refused),
        Message(
            "protocol_above",
            subject,
            task | {"Pd-Protocol": "99"},
            Body([]),
            None,
            {"refused": "UnsupportedProtocol"},
        ),
        Message("no_task", subject, {"Pd-Nonce": "n"}, Body([]), None, {"dropped": True}),
    ]
