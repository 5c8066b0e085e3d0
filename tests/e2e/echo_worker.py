"""A worker over stdio, of the service `echo`, that has no key: it gives back its first argument."""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any


def send(document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body)
    sys.stdout.buffer.flush()


def read() -> dict[str, Any]:
    prefix = sys.stdin.buffer.read(4)
    if len(prefix) < 4:
        sys.exit(0)
    document: dict[str, Any] = json.loads(sys.stdin.buffer.read(struct.unpack(">I", prefix)[0]))
    return document


send(
    {
        "frame": "hello",
        "protocol": 0,
        "service": "echo",
        "instance": f"echo-{os.getpid()}",
        "concurrency": 1,
        "activities": [{"name": "echo"}],
    }
)
while True:
    frame = read()
    if frame["frame"] == "task":
        task = {"task": frame["task"], "nonce": frame["nonce"]}
        send({"frame": "result", **task, "value": frame["arguments"][0]})
