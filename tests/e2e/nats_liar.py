"""A worker over NATS that lies: it speaks the raw protocol and does what the activity's name says.

`python -m tests.e2e.nats_liar URL TOKEN`
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

SERVICE = "liar"
RIGHT = b'"right"'
FORGED = b'"forged"'


class Liar:
    """What it was asked before, and how it answers."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.asked: dict[str, list[tuple[float, Msg]]] = {}

    async def reply(self, request: Msg, body: bytes, /, **headers: str) -> None:
        """One reply; headers are named without their prefix, and an empty one is left out."""
        given = request.headers or {}
        said = {"Task": given["Pd-Task"], "Nonce": given["Pd-Nonce"], "Status": "ok", **headers}
        named = {f"Pd-{name}": value for name, value in said.items() if value}
        await self.client.publish(request.reply, body, headers={**named, **CONTENT})

    async def ask(self, request: Msg) -> None:
        """A task arrives."""
        activity = (request.headers or {})["Pd-Activity"]
        earlier = self.asked.setdefault(activity, [])
        earlier.append((time.monotonic(), request))
        await LIES[activity](self, request)

    async def twice(self, request: Msg) -> None:
        await self.reply(request, RIGHT)
        await self.reply(request, FORGED)
        await self.reply(request, b'{"type":"Forged"}', Status="error")
        await self.reply(request, b"", Status="cancelled")
        await self.reply(request, b"", Status="accepted")

    async def wrong_nonce(self, request: Msg) -> None:
        for nonce in ("0123456789abcdef", "no nonce", ""):
            await self.reply(request, FORGED, Nonce=nonce)
        await self.reply(request, RIGHT)

    async def other_tasks(self, request: Msg) -> None:
        for task in ("0" * 32 + ".1.1", "no task id", ""):
            await self.reply(request, FORGED, Task=task)
        await self.reply(request, RIGHT)

    async def garbage(self, request: Msg) -> None:
        await self.client.publish(request.reply, b"\xff\xfe garbage")
        await self.client.publish(f"{request.reply}.more", b"")
        await self.reply(request, FORGED, Status="sung")
        await self.reply(request, FORGED, Status="")
        await self.reply(request, b"\xff\xfe", Status="heartbeat")
        for body in (b"\xff\xfe garbage", b'{"frame":"hello"}', b'{"frame":7}', b"", b"[]"):
            await self.client.publish(f"pd.l.default.{SERVICE}", body)
        await self.announce({"frame": "liveness", "instance": "unheard-of", "tasks": ["x", 1]})
        await self.announce({"frame": "draining", "instance": "unheard-of"})
        await self.reply(request, RIGHT)

    async def late(self, request: Msg) -> None:
        first, *others = self.asked["late"]
        if others:
            # The first request was given up meanwhile; its answer comes now, before the right one.
            await self.reply(first[1], RIGHT if first[1].headers == request.headers else FORGED)
            await self.reply(request, RIGHT)

    async def garbage_result(self, request: Msg) -> None:
        await self.reply(request, b"\xff\xfe garbage")

    async def deep_result(self, request: Msg) -> None:
        await self.reply(request, b"[" * 1000 + b"]" * 1000)

    async def garbage_error(self, request: Msg) -> None:
        await self.reply(request, b"{", Status="error")

    async def busy(self, request: Msg) -> None:
        asked = self.asked["busy"]
        if len(asked) == 1:
            error = {"type": "Busy", "started": False, "retry_after_ms": 1500}
            await self.reply(request, json.dumps(error).encode(), Status="error")
        else:
            waited_ms = int((asked[-1][0] - asked[0][0]) * 1000)
            await self.reply(request, str(waited_ms).encode())

    async def announce(self, document: dict[str, Any]) -> None:
        """Says something to all engines."""
        await self.client.publish(f"pd.l.default.{SERVICE}", json.dumps(document).encode())

    async def hello(self) -> None:
        """Introduces itself."""
        activities = [{"name": name} for name in LIES]
        who = {"service": SERVICE, "instance": "liar-1", "concurrency": 8}
        await self.announce({"frame": "hello", "protocol": 0, **who, "activities": activities})


CONTENT = {"Content-Type": "application/json"}
LIES: dict[str, Callable[[Liar, Msg], Awaitable[None]]] = {
    "twice": Liar.twice,
    "wrong_nonce": Liar.wrong_nonce,
    "other_tasks": Liar.other_tasks,
    "garbage": Liar.garbage,
    "late": Liar.late,
    "garbage_result": Liar.garbage_result,
    "deep_result": Liar.deep_result,
    "garbage_error": Liar.garbage_error,
    "busy": Liar.busy,
}


async def main() -> None:
    url, token = sys.argv[1:]
    # Parts of this client's types are unknown.
    client = await cast("Any", nats).connect(url, token=token)
    liar = Liar(client)

    async def control(message: Msg) -> None:
        if json.loads(message.data)["frame"] == "inventory":
            await liar.hello()

    await client.subscribe(f"pd.a.default.{SERVICE}.>", queue=SERVICE, cb=liar.ask)
    await client.subscribe(f"pd.c.default.{SERVICE}", cb=control)
    await liar.hello()
    await client.flush()
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
