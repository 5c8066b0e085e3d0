"""How a client reaches the engine of a store: in this process, in another, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

from perdure._core import StoreInbox, owner_socket
from perdure.client._answer import Answer
from perdure.client._codecs import codec_of, decoded_fields, encoded_fields
from perdure.client._frames import read_frame, write_frame
from perdure.convert import failure_from_fields
from perdure.errors import NoWorkerError

__all__ = [
    "EnginePort",
    "PendingFields",
    "deliver",
    "hosts",
    "live_task_queues",
    "native_fields",
    "pending_activities",
    "sleep",
]

Result = TypeVar("Result")

PendingFields: TypeAlias = tuple[int, str | None, str | None, int, str, str | None]
"""Number, name, service, attempt, progress and last failure of an outstanding activity."""

_SOCKET_RETRY_SECONDS = 0.05
NO_WORKER_SECONDS = 5.0
"""How long a client waits for an engine before it says that there is none."""


class EnginePort(Protocol):
    """An engine of this process."""

    loop: asyncio.AbstractEventLoop

    async def send(self, kind: str, message_id: str, fields: dict[str, Any]) -> Answer:
        """Hands a message over and waits for the answer."""
        ...

    async def pending_activities(self, run: bytes) -> list[PendingFields] | None:
        """The outstanding activities of an open run; None when it is not open."""
        ...

    async def task_queues(self) -> list[Any]:
        """The task queues and services, as the engine tells them."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleeps by the engine's clock."""
        ...


hosts: dict[Path, EnginePort] = {}
"""The engines of this process by the file that they own."""


async def deliver(
    path: Path,
    kind: str,
    message_id: str,
    fields: dict[str, Any],
    *,
    durable: bool = True,
) -> Answer:
    """Hands a message to whatever engine owns the store, and waits for its answer.

    Without an engine a durable message stays in the inbox for the next one.

    Raises:
        NoWorkerError: No engine has come for 5 s.
    """
    host = hosts.get(path)
    if host is not None:
        return await _on_loop_of(host, host.send(kind, message_id, fields))
    if durable:
        inbox = await asyncio.to_thread(StoreInbox, path, codec_of(path))
        now_us = time.time_ns() // 1_000
        native = native_fields(fields)
        await asyncio.to_thread(lambda: inbox.post(kind, message_id, now_us, **native))
    return await _over_socket(path, kind, message_id, fields, in_inbox=durable)


async def sleep(path: Path, seconds: float) -> bool:
    """Sleeps by the clock of this process's engine of the store; False when there is none."""
    host = hosts.get(path)
    if host is not None:
        await _on_loop_of(host, host.sleep(seconds))
    return host is not None


def native_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """A message's fields as the engine takes them; failures travel as plain values."""
    failure: dict[str, Any] | None = fields.get("failure")
    return fields if failure is None else fields | {"failure": failure_from_fields(failure)}


async def pending_activities(path: Path, run: bytes) -> list[PendingFields] | None:
    """The outstanding activities of an open run; None when it is not open.

    Raises:
        NoWorkerError: No engine runs: only a live one knows.
    """
    host = hosts.get(path)
    if host is not None:
        return await _on_loop_of(host, host.pending_activities(run))
    frame = await _ask_owner(path, "pending_activities", {"run": run})
    pending: list[Any] | None = frame["pending"]
    return None if pending is None else [_pending_of(*each) for each in pending]


async def live_task_queues(path: Path) -> list[Any]:
    """The task queues and services, as the engine tells them.

    Raises:
        NoWorkerError: No engine runs: only a live one knows.
    """
    host = hosts.get(path)
    if host is not None:
        return await _on_loop_of(host, host.task_queues())
    frame = await _ask_owner(path, "task_queues", {})
    queues: list[Any] = frame["queues"]
    return queues


async def _ask_owner(path: Path, kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What the engine of another process answers, if there is one."""
    owner = owner_socket(path)
    if owner is not None:
        request = {"kind": kind, "message_id": "", "fields": fields}
        with contextlib.suppress(OSError, EOFError):
            frame = await _ask(owner[1], request)
            if frame is not None:
                return frame
    raise NoWorkerError(f"no worker serves {path}: start a Worker on file:{path}")


def _pending_of(
    number: int,
    name: str | None,
    service: str | None,
    attempt: int,
    progress: str,
    last_failure: str | None,
) -> PendingFields:
    return number, name, service, attempt, progress, last_failure


async def _on_loop_of(host: EnginePort, asked: Coroutine[Any, Any, Result]) -> Result:
    """Awaits what is asked of a host where the host runs: here, or in another thread."""
    if host.loop is asyncio.get_running_loop():
        return await asked
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked, host.loop))


async def _over_socket(
    path: Path, kind: str, message_id: str, fields: dict[str, Any], *, in_inbox: bool
) -> Answer:
    codec = codec_of(path)
    sent = encoded_fields(codec, fields)
    request = {"kind": kind, "message_id": message_id, "fields": sent, "in_inbox": in_inbox}
    silent_since = time.monotonic()
    while True:
        host = hosts.get(path)
        if host is not None:
            return await _on_loop_of(host, host.send(kind, message_id, fields))
        owner = owner_socket(path)
        if owner is not None:
            with contextlib.suppress(OSError, EOFError):
                frame = await _ask(owner[1], request)
                if frame is not None:
                    return _answer_of(decoded_fields(codec, frame))
                silent_since = time.monotonic()
        if time.monotonic() - silent_since > NO_WORKER_SECONDS:
            start = f"start a Worker on file:{path}"
            then = f"the message is kept; {start}, and it goes on from there"
            raise NoWorkerError(
                f"no worker serves {path}: {then if in_inbox else f'{start}, and ask again'}"
            )
        await asyncio.sleep(_SOCKET_RETRY_SECONDS)


async def _ask(socket: str, request: dict[str, Any]) -> dict[str, Any] | None:
    reader, writer = await asyncio.open_unix_connection(socket)
    try:
        write_frame(writer, request)
        await writer.drain()
        return await read_frame(reader)
    finally:
        writer.close()


def _answer_of(frame: dict[str, Any]) -> Answer:
    failure = frame["failure"]
    reason: list[str] | None = frame["park_reason"]
    return Answer(
        kind=frame["kind"],
        run_id=frame["run_id"],
        status=frame["status"],
        next_run_id=frame["next_run_id"],
        result=frame["result"],
        failure=None if failure is None else failure_from_fields(failure),
        park_reason=None if reason is None else (reason[0], reason[1], reason[2]),
        refusal=frame["refusal"],
    )
