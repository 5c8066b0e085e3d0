"""A worker that lies: it speaks the raw protocol over stdio and does what its environment says.

`LIAR_STATE` names a file that counts this worker's starts, so that it can lie only the first time.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

starts = Path(os.environ["LIAR_STATE"])
lie = os.environ["LIAR_LIE"]
first_start = not starts.exists()
with starts.open("a") as count:
    count.write("start\n")


def send_bytes(body: bytes) -> None:
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()


def send(document: dict[str, Any]) -> None:
    send_bytes(json.dumps(document).encode())


def read() -> dict[str, Any]:
    prefix = sys.stdin.buffer.read(4)
    if len(prefix) < 4:
        sys.exit(0)
    document: dict[str, Any] = json.loads(sys.stdin.buffer.read(struct.unpack(">I", prefix)[0]))
    return document


def result(task: dict[str, Any], value: Any, /, **fields: Any) -> None:
    send(
        {"frame": "result", "task": task["task"], "nonce": task["nonce"], "value": value, **fields}
    )


def garbage() -> None:
    send_bytes(b"\xff\xfe this is no document")


def oversize() -> None:
    sys.stdout.buffer.write(struct.pack(">I", 0xFFFFFFFF) + b"x" * 64)
    sys.stdout.buffer.flush()


def nothing() -> None:
    sys.stdout.buffer.write(struct.pack(">I", 0))
    sys.stdout.buffer.flush()


def cut_short() -> None:
    sys.stdout.buffer.write(struct.pack(">I", 1000) + b'{"frame":')
    sys.stdout.buffer.flush()
    sys.exit(0)


BREAKING: dict[str, Callable[[], object]] = {
    "garbage": garbage,
    "oversize": oversize,
    "empty_frame": nothing,
    "cut_short": cut_short,
    "no_frame_key": lambda: send({"task": "x"}),
    "dies": lambda: os.kill(os.getpid(), 9),
}


def answer(task: dict[str, Any]) -> None:
    value = {"attempt": task["attempt"], "starts": len(starts.read_text().splitlines())}
    if lie in BREAKING and first_start:
        BREAKING[lie]()
        signal.pause()
    if lie == "twice":
        result(task, value)
        result(task, "a second answer")
        result(task, "a third answer")
        return
    if lie == "wrong_nonce":
        result(task, "forged", nonce="0123456789abcdef")
        result(task, "forged", nonce="")
        result(task, "forged", nonce="not even a nonce")
        send({"frame": "error", "task": task["task"], "nonce": "f" * 16, "error": {}})
    if lie == "other_tasks":
        result(task, "nobody asked", task="0" * 32 + ".1.1")
        result(task, "nobody asked", task="no task id")
    if lie == "unknown_frames":
        send({"frame": "sing", "song": ["la"]})
        send(
            {
                "frame": "result",
                "task": task["task"],
                "nonce": task["nonce"],
                "x": 1,
                "value": value,
            }
        )
        return
    if lie == "busy" and task["attempt"] == 1 and first_task():
        error = {"type": "Busy", "retryable": True, "started": False, "retry_after_ms": 50}
        send({"frame": "error", "task": task["task"], "nonce": task["nonce"], "error": error})
        return
    result(task, value)


def first_task() -> bool:
    seen = starts.with_suffix(".seen")
    if seen.exists():
        return False
    seen.touch()
    return True


hello = {
    "frame": "hello",
    "protocol": 99 if lie == "newer" and first_start else 0,
    "service": "another" if lie == "other_service" and first_start else "liar",
    "instance": f"liar-{os.getpid()}",
    "concurrency": 1,
    "activities": [{"name": "ask"}],
}
if lie == "prints_first" and first_start:
    print("starting up...", flush=True)
if lie == "silent_exit" and first_start:
    sys.exit(3)
send(hello)
while True:
    frame = read()
    if frame["frame"] == "task":
        answer(frame)
