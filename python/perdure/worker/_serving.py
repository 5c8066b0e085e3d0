"""What the workers of a process have while they own a store: one engine, shared by task queue."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.client._port import hosts
from perdure.schedule._workflow import SYSTEM_TASK_QUEUE
from perdure.worker._nats import nats_address, start_nats_server
from perdure.worker._schedules import system_queue
from perdure.worker._socket import SocketServer

if TYPE_CHECKING:
    from pathlib import Path

    from perdure._core import NatsChild
    from perdure.client._client import Client
    from perdure.worker._host import Host
    from perdure.worker._options import NatsOptions, StdioService
    from perdure.worker._queues import Key, ServedQueue

__all__ = ["Services", "Serving", "serving_here"]

_servings: dict[Path, Serving] = {}
"""The engines of this process, by the store that they own."""


def serving_here(path: Path, namespace: str, key: Key) -> Serving | None:
    """The engine that a worker can share: of this loop and namespace, its queue still free.

    Workers of several versions may serve one queue.
    """
    serving = _servings.get(path)
    if serving is None or serving.host.loop is not asyncio.get_running_loop():
        return None
    if serving.namespace != namespace:
        return None
    taken = serving.host.is_closed or key in serving.host.queues
    return None if taken else serving


@dataclass(frozen=True, slots=True)
class Services:
    """The services in other languages that a worker names, and how to reach them."""

    over_stdio: tuple[StdioService, ...] = ()
    nats: NatsOptions | None = None
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    """Most attempts at once of a service, by its name."""

    def __post_init__(self) -> None:
        for name, most in self.limits.items():
            if most < 1:
                raise ValueError(f"service_limits: {name} must be at least 1, and is {most}")


class Serving:
    """An engine that owns a store, until the last of its workers has left."""

    def __init__(self, host: Host, client: Client) -> None:
        self.host = host
        self.namespace = client.namespace
        self.host.queues.add(system_queue(client))
        self.nats_server: NatsChild | None = None
        self._socket = SocketServer(host, host.engine.socket_path)
        self._has_nats = False

    async def start(self, queue: ServedQueue, services: Services) -> None:
        """Begins to serve, with the first worker."""
        self.host.queues.add(queue)
        await self._reach(services)
        self.host.start()
        self.host.host_changed()
        await self._socket.start()
        hosts[self.host.path] = self.host
        # Others may join only now: a start that fails ends the engine.
        _servings[self.host.path] = self

    async def join(self, queue: ServedQueue, services: Services) -> None:
        """One more worker, on a task queue of its own."""
        self.host.queues.add(queue)
        await self._reach(services)
        self.host.host_changed()

    async def leave(self, queue: ServedQueue, timeout_s: float) -> None:
        """A worker goes: its activities may end; the last one closes the store."""
        # The system's queue is the engine's own.
        if len(self.host.queues) > 2:
            self.host.queues.remove(queue.key)
            self.host.host_changed()
            if not self.host.queues.serves(queue.task_queue):
                await self.host.activities.finish(timeout_s, queue.task_queue)
        else:
            await self.close(timeout_s)

    async def close(self, timeout_s: float) -> None:
        """Takes no new work, lets activities end, closes the store."""
        path = self.host.path
        if hosts.get(path) is self.host:
            del hosts[path]
        if _servings.get(path) is self:
            del _servings[path]
        await self._socket.close()
        with contextlib.suppress(RuntimeError):
            self.host.engine.drain()
        # They wait for runs, and no longer than this engine lives.
        await self.host.activities.finish(0.0, SYSTEM_TASK_QUEUE)
        await self.host.activities.finish(timeout_s)
        self.host.close()
        if self.nats_server is not None:
            self.nats_server.stop()

    async def _reach(self, services: Services) -> None:
        """Starts and connects what leads to services; one connection to NATS serves all."""
        engine, nats = self.host.engine, services.nats
        self.host.queues.service_limits.update(services.limits)
        if services.over_stdio:
            engine.start_stdio([_stdio_fields(each) for each in services.over_stdio])
        if nats is None or self._has_nats:
            return
        address = nats_address(nats)
        if nats.url is None:
            directory = self.host.path.with_name(f"{self.host.path.name}-nats")
            self.nats_server = await asyncio.to_thread(start_nats_server, directory)
            address |= {"url": self.nats_server.url, "token": self.nats_server.token}
        await asyncio.to_thread(partial(engine.connect_nats, **address))
        self._has_nats = True


def _stdio_fields(service: StdioService) -> tuple[Any, ...]:
    program, *arguments = service.command
    directory = None if service.directory is None else os.fspath(service.directory)
    environment = list(service.environment.items())
    return (service.name, program, arguments, directory, environment, service.processes)
