"""An activity that completes asynchronously, as whoever completes it sees it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from perdure._core import StoreReader, encode
from perdure.client._ids import new_message_id
from perdure.client._port import deliver
from perdure.convert import failure_fields, failure_of
from perdure.errors import AsyncActivityCancelledError, AsyncActivityNotFoundError

__all__ = ["AsyncActivityHandle", "handle_of"]

_TOKEN_BYTES = 36
_RUN_BYTES = 16


class AsyncActivityHandle:
    """An activity that called `activity.raise_complete_async()`.

    Every verb may be used from any process that reaches the store. An outcome that is given while
    no worker runs is kept, and counts from that instant.
    """

    def __init__(
        self,
        path: Path,
        run: bytes | Callable[[], Awaitable[bytes]],
        token: bytes | None,
        number: int | None,
    ) -> None:
        self._path = path
        self._run = run
        """The run, or what finds it: a workflow id alone means its latest run at the first verb."""
        self._attempt: dict[str, Any] = {"token": token, "number": number}

    async def complete(self, result: Any = None) -> None:
        """The activity returns `result`; that is durable when this returns.

        Args:
            result: What the workflow gets; None by default.

        Raises:
            AsyncActivityNotFoundError: No attempt waits under this token.
            EncodeError: The result cannot travel.
            NoWorkerError: No engine has come for 5 s; the outcome is kept for the next one.
        """
        await self._post("complete_activity", result=encode(result))

    async def fail(self, error: BaseException) -> None:
        """The attempt fails with `error`, as if its code had raised it; its retry policy decides.

        Raises:
            AsyncActivityNotFoundError: No attempt waits under this token.
            NoWorkerError: No engine has come for 5 s; the outcome is kept for the next one.
        """
        await self._post("fail_activity", failure=failure_fields(failure_of(error)))

    async def report_cancellation(self, *details: Any) -> None:
        """The attempt ended because the workflow took the call back.

        Args:
            *details: For the workflow; none by default.

        Raises:
            AsyncActivityNotFoundError: No attempt waits under this token.
            EncodeError: A detail cannot travel.
            NoWorkerError: No engine has come for 5 s; the outcome is kept for the next one.
        """
        await self._post("cancel_activity", details=encode(list(details)) if details else None)

    async def heartbeat(self, details: Any = None) -> None:
        """Somebody is at work on the attempt; `details` are kept for the next one.

        Args:
            details: Progress; None by default.

        Raises:
            AsyncActivityCancelledError: The workflow asks the attempt to stop.
            AsyncActivityNotFoundError: No attempt waits under this token.
            EncodeError: The details cannot travel.
            NoWorkerError: No engine runs.
        """
        run = await self._found_run()
        fields = {"run": run, **self._attempt, "details": encode(details)}
        message_id = new_message_id()
        answer = await deliver(self._path, "heartbeat_activity", message_id, fields, durable=False)
        if answer.kind == "cancel_requested":
            raise AsyncActivityCancelledError(
                "the workflow asks this attempt to stop: end it with report_cancellation()"
            )
        if answer.kind != "accepted":
            _raise_not_found(run, answer)

    async def _found_run(self) -> bytes:
        if not isinstance(self._run, bytes):
            self._run = await self._run()
        return self._run

    async def _post(self, kind: str, **fields: Any) -> None:
        run = await self._found_run()
        message_id = new_message_id()
        fields |= {"run": run, **self._attempt}
        answer = await deliver(self._path, kind, message_id, fields)
        # An engine may take the message from the inbox, and be done with it, before the same
        # message arrives over the socket: then the store knows that the run has it.
        if answer.kind != "accepted" and not await asyncio.to_thread(self._has, run, message_id):
            _raise_not_found(run, answer)

    def _has(self, run: bytes, message_id: str) -> bool:
        return StoreReader(self._path).has_consumed(run, message_id)

    def __repr__(self) -> str:
        run = self._run.hex() if isinstance(self._run, bytes) else "not looked up yet"
        return f"<async activity of run {run}>"


def _raise_not_found(run: bytes, answer: Any) -> None:
    if answer.kind in {"activity_not_found", "closed", "not_found"}:
        why = (
            f"the run is {answer.status}"
            if answer.kind == "closed"
            else "it is over, another attempt has taken its place, or it never was"
        )
        raise AsyncActivityNotFoundError(
            f"no such attempt of an activity of run {run.hex()} waits for an outcome: {why}"
        )
    answer.expect("accepted")


def handle_of(
    path: Path,
    task_token: bytes | str | None,
    run: str | Callable[[], Awaitable[bytes]] | None,
    number: int | None,
) -> AsyncActivityHandle:
    """See `Client.get_async_activity_handle`."""
    if task_token is not None:
        if run is not None or number is not None:
            raise ValueError("give a task token, or a run and a number, not both")
        token = bytes.fromhex(task_token) if isinstance(task_token, str) else task_token
        if len(token) != _TOKEN_BYTES:
            raise ValueError(f"a task token has {_TOKEN_BYTES} bytes, and this has {len(token)}")
        return AsyncActivityHandle(path, token[:_RUN_BYTES], token, None)
    if run is None or number is None:
        raise ValueError("give a task token, or a workflow id or run id and a number")
    found = uuid.UUID(run).bytes if isinstance(run, str) else run
    return AsyncActivityHandle(path, found, None, number)
