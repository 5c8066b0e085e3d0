"""Each frame of the envelope, and what a reader does with odd ones."""

from dataclasses import dataclass, field
from typing import Any

from msgpack import Timestamp

from json_profile import decimal, duration, uuid_value

RUN = "019abcdef01273458678abcdef012345"
TASK = f"{RUN}.7.2"
NONCE = "q3Zt9-_fA0"
INSTANCE = "i-0a1b2c3d4e5f"
DOWN = "worker \u2192 engine"
UP = "engine \u2192 worker"


@dataclass
class Frame:
    name: str
    direction: str
    document: dict[str, Any]
    extra: dict[str, Any] = field(default_factory=dict[str, Any])


def innermost() -> dict[str, Any]:
    return {
        "type": "ParseError",
        "message": "unexpected '}'",
        "stack": "parse.go:12",
        "retryable": False,
        "details": [{"line": 12, "token": b"}"}],
    }


def nested() -> dict[str, Any]:
    middle = {
        "type": "LoadError",
        "message": "caf\u00e9.go",
        "stack": "",
        "details": [],
        "retryable": True,
        "cause": innermost(),
    }
    return {
        "type": "AuditError",
        "message": "audit failed",
        "stack": "main\n  at audit.ts:3:1",
        "details": [2**60, None, float("nan")],
        "retryable": True,
        "retry_after_ms": 1500,
        "cause": middle,
    }


def error_cases() -> list[tuple[str, dict[str, Any]]]:
    busy = {
        "type": "Busy",
        "message": "all 4 slots are taken",
        "retryable": True,
        "retry_after_ms": 100,
        "started": False,
    }
    unknown = {"type": "Odd", "message": "", "colour": "blue", "cause": {"type": "Inner", "x": [1]}}
    return [
        ("minimal", {"type": "Error"}),
        ("empty", {}),
        ("busy", busy),
        ("nested_3", nested()),
        ("unknown_fields", unknown),
    ]


def full_task() -> dict[str, Any]:
    return {
        "frame": "task",
        "protocol": 0,
        "task": TASK,
        "nonce": NONCE,
        "activity": "source.analyze",
        "namespace": "default",
        "workflow_id": "audit/caf\u00e9 100%",
        "workflow_type": "audit",
        "run_id": RUN,
        "attempt": 2,
        "idempotency_key": f"{RUN}.7.5f2c9a01",
        "fencing_token": 2**64 - 1,
        "scheduled_at_ms": 1795470840123,
        "deadline_ms": 1795474440123,
        "heartbeat_timeout_ms": 30000,
        "heartbeat_details": {"done": 41},
        "last_failure": {"type": "TimeoutError", "message": "heartbeat", "retryable": True},
        "headers": {
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "tenant": "b\u00e4r",
            "$x": "1",
        },
        "arguments": [
            "main.go",
            {"$depth": 2**53, "unknown": None},
            b"\x00\xff",
            1.0,
            Timestamp(1795470840, 5),
            duration(90_000_000_000),
            decimal("9.90"),
            uuid_value("019abcde-f012-7345-8678-9abcdef01234"),
        ],
    }


def frame_cases() -> list[Frame]:
    return [*handshake(), *tasks(), *replies(), *control(), *odd()]


def handshake() -> list[Frame]:
    hello = {
        "frame": "hello",
        "protocol": 0,
        "service": "goaudit",
        "instance": INSTANCE,
        "language": "go",
        "sdk": "perdure-go/0.1.0",
        "concurrency": 64,
        "activities": [{"name": "source.analyze"}, {"name": "echo"}],
        "accept": ["application/json", "application/msgpack"],
        "profile": "L2",
    }
    welcome = {
        "frame": "welcome",
        "protocol": 0,
        "encoding": "application/msgpack",
        "engine": "perdure/0.1.0",
        "liveness_interval_ms": 5000,
    }
    return [
        Frame("hello", DOWN, hello),
        Frame("hello_minimal", DOWN, {"frame": "hello", "service": "perl", "instance": "p1"}),
        Frame(
            "hello_without_service", DOWN, {"frame": "hello", "instance": "p1"}, {"malformed": True}
        ),
        Frame("welcome", UP, welcome),
        Frame("welcome_minimal", UP, {"frame": "welcome", "encoding": "application/json"}),
    ]


def tasks() -> list[Frame]:
    minimal = {"frame": "task", "task": f"{RUN}.1.1", "activity": "echo"}
    unknown = minimal | {"nonce": "n", "colour": {"a": [1]}, "arguments": [1], "priority": 3}
    null_details = minimal | {"heartbeat_details": None}
    return [
        Frame("task", UP, full_task()),
        Frame("task_minimal", UP, minimal),
        Frame("task_unknown_fields", UP, unknown),
        Frame(
            "task_null_heartbeat_details", UP, null_details, {"note": "null is there, not absent"}
        ),
        Frame("task_without_activity", UP, {"frame": "task", "task": TASK}, {"malformed": True}),
    ]


def replies() -> list[Frame]:
    reply = {"task": TASK, "nonce": NONCE}
    return [
        Frame("accepted", DOWN, {"frame": "accepted"} | reply),
        Frame("heartbeat", DOWN, {"frame": "heartbeat"} | reply | {"details": {"done": 42}}),
        Frame("heartbeat_bare", DOWN, {"frame": "heartbeat"} | reply),
        Frame(
            "result", DOWN, {"frame": "result"} | reply | {"value": {"functions": 3, "ratio": 1.0}}
        ),
        Frame("result_null", DOWN, {"frame": "result"} | reply | {"value": None}),
        Frame(
            "result_without_value", DOWN, {"frame": "result"} | reply, {"note": "the value is null"}
        ),
        Frame("error", DOWN, {"frame": "error"} | reply | {"error": nested()}),
        Frame("cancelled", DOWN, {"frame": "cancelled"} | reply),
        Frame("cancelled_details", DOWN, {"frame": "cancelled"} | reply | {"details": [1, None]}),
    ]


def control() -> list[Frame]:
    liveness = {"frame": "liveness", "instance": INSTANCE, "concurrency": 64, "tasks": [TASK]}
    attach = {"frame": "attach", "task": TASK, "nonce": "new", "reply": "_INBOX.engine2.r"}
    return [
        Frame(
            "cancel", UP, {"frame": "cancel", "task": TASK, "reason": "the workflow cancelled it"}
        ),
        Frame("cancel_minimal", UP, {"frame": "cancel", "task": TASK}),
        Frame("inventory", UP, {"frame": "inventory"}),
        Frame("drain", UP, {"frame": "drain"}),
        Frame("drain_instance", UP, {"frame": "drain", "instance": INSTANCE}),
        Frame("attach", UP, attach),
        Frame("liveness", DOWN, liveness),
        Frame("liveness_idle", DOWN, liveness | {"tasks": []}),
        Frame("draining", DOWN, {"frame": "draining", "instance": INSTANCE}),
    ]


def odd() -> list[Frame]:
    ignored = {"ignored": True}
    return [
        Frame("unknown_frame", UP, {"frame": "sing", "song": ["la", 1, None]}, ignored),
        Frame("unknown_frame_from_worker", DOWN, {"frame": "metrics", "tasks": 1}, ignored),
        Frame("no_frame_key", UP, {"task": TASK}, {"malformed": True}),
        Frame("frame_key_last", UP, {"task": TASK, "reason": "", "frame": "cancel"}),
    ]
