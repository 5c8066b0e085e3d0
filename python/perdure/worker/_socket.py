"""Live traffic of other processes' clients, over a Unix socket beside the store."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.client._codecs import codec_of, decoded_fields, encoded_fields
from perdure.client._frames import read_frame, write_frame
from perdure.errors import PerdureError

if TYPE_CHECKING:
    from perdure.worker._host import Host

__all__ = ["SocketServer"]


class SocketServer:
    """Answers clients of other processes while this one owns the store."""

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._path = Path(path)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to listen; the file of an owner that was killed is replaced."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._accept, self._path)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Stops listening, and hangs up."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(self._connections)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, EOFError, PerdureError, asyncio.CancelledError):
            while (request := await read_frame(reader)) is not None:
                write_frame(writer, await self._answer(request))
                await writer.drain()
        writer.close()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["kind"] == "pending_activities":
            pending = await self._host.pending_activities(request["fields"]["run"])
            return {"pending": None if pending is None else [list(each) for each in pending]}
        if request["kind"] == "task_queues":
            return {"queues": await self._host.task_queues()}
        codec = codec_of(self._host.path)
        fields = decoded_fields(codec, request["fields"])
        answer = await self._host.send(request["kind"], request["message_id"], dict(fields))
        if request["in_inbox"]:
            # The client left the message there first: it may leave it now.
            self._host.read_inbox()
        return encoded_fields(codec, answer.fields())
