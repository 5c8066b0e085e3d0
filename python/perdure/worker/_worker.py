"""Hosts workflows and activities: `async with Worker(…)` or `await Worker(…).run()`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Self

from perdure._core import EngineHost
from perdure._interceptor import Interceptor
from perdure.activity._definition import ActivityDefinition
from perdure.client._address import store_path
from perdure.client._client import DEFAULT_NAMESPACE, Client
from perdure.client._codecs import codec_of
from perdure.errors import StoreError, StoreOwnedError
from perdure.instance._determinism import install_determinism
from perdure.secrets import SecretProvider
from perdure.spans import check_span
from perdure.versioning import WorkerDeploymentConfig
from perdure.worker._host import Host
from perdure.worker._options import NatsOptions, StdioService
from perdure.worker._queues import ServedQueue
from perdure.worker._serving import Services, Serving, serving_here
from perdure.worker._watchdog import Watchdog

__all__ = ["Worker"]

_STANDBY_SECONDS = 1.0
"""How often a waiting standby looks whether it is still wanted."""


class Worker:
    """Serves one task queue of the client's store, with workflows and activities of this process.

    Only one engine owns a store. Workers of one asyncio loop share it when each serves a task queue
    of its own, or the same one as another version; the options about the engine (cached workflows,
    activity processes, retention, deadlock, strict, NATS) are then those of the first. Any other
    worker on the store, in this process or another, waits as a standby and takes over as soon as
    the owner ends.
    """

    def __init__(
        self,
        client: Client | str,
        *,
        task_queue: str = "default",
        workflows: Sequence[Any] = (),
        activities: Sequence[ActivityDefinition[..., Any] | Callable[..., Any]] = (),
        services: Sequence[StdioService] = (),
        nats: NatsOptions | None = None,
        service_limits: Mapping[str, int] | None = None,
        interceptors: Sequence[Interceptor] = (),
        secrets: SecretProvider | None = None,
        max_concurrent_activities: int = 200,
        max_task_queue_activities_per_second: float | None = None,
        max_concurrent_sessions: int = 1_000,
        max_cached_workflows: int = 10_000,
        max_activity_processes: int | None = None,
        retention: timedelta | None = timedelta(days=30),
        graceful_shutdown_timeout: timedelta = timedelta(seconds=10),
        deadlock_timeout: timedelta | None = timedelta(seconds=2),
        deadlock_limit: timedelta | None = timedelta(seconds=10),
        standby: bool = True,
        deployment_config: WorkerDeploymentConfig | None = None,
        strict: bool = False,
    ) -> None:
        """A worker; nothing happens before `async with` or `run`.

        Args:
            client: Whose store to serve, with its converter, or its address: `file:app.db`.
            task_queue: Which queue to serve; `default` by default.
            workflows: Decorated functions and classes.
            activities: Decorated functions.
            services: Services in other languages to start on this host; none by default.
            nats: How to reach services over NATS; not at all by default.
            service_limits: Most attempts at once, by service; what its workers take by default.
            interceptors: What stands around its activities, inside the client's; none by default.
            secrets: Where activities find secrets, such as a `dict`; the environment by default.
            max_concurrent_activities: Activities of this task queue at once; 200 by default.
            max_task_queue_activities_per_second: Of those, begun a second; no limit by default.
            max_concurrent_sessions: Sessions of this task queue at once; 1,000 by default.
            max_cached_workflows: Runs kept live; 10,000 by default.
            max_activity_processes: Processes for process-pool activities; one a core by default.
            retention: How long closed runs are kept; 30 days by default, None for ever.
            graceful_shutdown_timeout: How long activities may take to end; 10 s by default.
            deadlock_timeout: When code that holds the loop is named; 2 s by default, None: never.
            deadlock_limit: When it is interrupted, its run parked; 10 s by default, None: never.
            standby: Whether to wait while another engine owns the store; True by default.
            deployment_config: Which version this worker is; of no version by default.
            strict: Whether to refuse C calls such as `datetime.now()` too: slow; False by default.

        Raises:
            TypeError: Something that is neither workflow nor activity; a span that is none.
            ValueError: No such address, limit or rate.
        """
        self.client = client = _client_of(client)
        self.task_queue = task_queue
        rate = max_task_queue_activities_per_second
        limits = (max_concurrent_activities, rate, max_concurrent_sessions)
        around = (*client.interceptors, *interceptors)
        served = ServedQueue.of(task_queue, workflows, activities, limits, around)
        self._queue = replace(served, secrets=secrets, deployment=deployment_config)
        self._services = Services(tuple(services), nats, dict(service_limits or {}))
        self._open = _opening(client, max_cached_workflows, retention)
        self._new_host = _hosting(client, max_activity_processes)
        self._new_watchdog = _watching(deadlock_timeout, deadlock_limit, strict)
        check_span("graceful_shutdown_timeout", graceful_shutdown_timeout)
        self._shutdown_s = graceful_shutdown_timeout.total_seconds()
        self._standby = standby
        self._serving: Serving | None = None
        self._taking_over: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        install_determinism()
        if await self._join():
            return self
        try:
            engine = await asyncio.to_thread(partial(self._open, standby_s=0.0))
        except StoreOwnedError:
            if not self._standby:
                raise
            self._taking_over = asyncio.create_task(self._wait_and_serve())
        else:
            await self._serve(engine)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.shutdown()

    async def run(self) -> None:
        """Serves until SIGINT or SIGTERM, or until the task is cancelled; then shuts down.

        Raises:
            StoreError: The store is damaged, or could not be opened again.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, stop.set)
        async with self:
            stopped = asyncio.create_task(stop.wait())
            failing = asyncio.create_task(self._fail())
            try:
                await asyncio.wait({stopped, failing}, return_when=asyncio.FIRST_COMPLETED)
                if failing.done():
                    failing.result()
            finally:
                stopped.cancel()
                failing.cancel()

    @property
    def is_serving(self) -> bool:
        """Whether this worker owns the store and takes work."""
        return self._serving is not None

    @property
    def nats_environment(self) -> dict[str, str]:
        """What foreign workers need to find the nats-server that this worker has started.

        Empty unless `NatsOptions()` was given without a URL and this worker is serving.
        """
        server = None if self._serving is None else self._serving.nats_server
        if server is None:
            return {}
        return {"PERDURE_NATS_URL": server.url, "PERDURE_NATS_TOKEN": server.token}

    @property
    def is_standby(self) -> bool:
        """Whether another engine owns the store, and this one waits to take over."""
        return self._serving is None and self._taking_over is not None

    async def shutdown(self) -> None:
        """Takes no new work, lets activities end, closes the store. Safe to call twice."""
        if self._taking_over is not None:
            self._taking_over.cancel()
            await asyncio.wait([self._taking_over])
            self._taking_over = None
        if self._serving is not None:
            serving, self._serving = self._serving, None
            await serving.leave(self._queue, self._shutdown_s)

    async def _fail(self) -> None:
        """Waits for the end of an engine that cannot go on, and raises why."""
        if self._taking_over is not None:
            # A standby that cannot take over must not wait for ever.
            await asyncio.shield(self._taking_over)
        if self._serving is not None:
            error = await asyncio.shield(self._serving.host.ended)
            if isinstance(error, StoreError):
                raise error

    async def _wait_and_serve(self) -> None:
        while True:
            opening = asyncio.ensure_future(
                asyncio.to_thread(partial(self._open, standby_s=_STANDBY_SECONDS))
            )
            try:
                engine = await asyncio.shield(opening)
            except StoreOwnedError:
                if await self._join():
                    return
                continue
            except asyncio.CancelledError:
                # The thread may still come to own the store: it must not keep it.
                with contextlib.suppress(StoreOwnedError):
                    (await opening).close()
                raise
            await self._serve(engine)
            return

    async def _serve(self, engine: EngineHost) -> None:
        host = self._new_host(engine, watchdog=self._new_watchdog())
        serving = Serving(host, self.client)
        try:
            await serving.start(self._queue, self._services)
        except BaseException:
            await serving.close(0.0)
            raise
        self._serving = serving

    async def _join(self) -> bool:
        """Shares the engine of another worker of this loop, if one has another task queue."""
        serving = serving_here(self.client.path, self.client.namespace, self._queue.key)
        if serving is None:
            return False
        try:
            await serving.join(self._queue, self._services)
        except BaseException:
            await serving.leave(self._queue, 0.0)
            raise
        self._serving = serving
        return True


def _opening(
    client: Client, max_cached_workflows: int, retention: timedelta | None
) -> Callable[..., EngineHost]:
    """What opens the engine, once it is known how long to wait for it."""
    check_span("retention", retention)
    # Time that skips would have runs deleted that have just ended.
    keeps_for = retention if client.clock is None else None
    return partial(
        EngineHost.open,
        client.path,
        namespace=client.namespace,
        maximum_cached_runs=max_cached_workflows,
        retention_s=None if keeps_for is None else int(keeps_for.total_seconds()),
        seed=int.from_bytes(os.urandom(8), "big"),
        language=_language(),
        clock=client.clock,
        codec=codec_of(client.path),
    )


def _hosting(client: Client, processes: int | None) -> Callable[..., Host]:
    if processes is not None and processes < 1:
        raise ValueError(f"max_activity_processes is at least 1, not {processes}")
    count = processes or os.cpu_count() or 1
    return partial(Host, client.path, processes=count, clock=client.clock)


def _watching(
    timeout: timedelta | None, limit: timedelta | None, strict: bool
) -> Callable[[], Watchdog]:
    check_span("deadlock_timeout", timeout)
    check_span("deadlock_limit", limit)
    return partial(Watchdog, _seconds(timeout), _seconds(limit), strict)


def _client_of(client: Client | str) -> Client:
    return Client(store_path(client), DEFAULT_NAMESPACE) if isinstance(client, str) else client


def _language() -> str:
    """What runs workflow code here: a new minor version may run it differently."""
    major, minor, *_ = sys.version_info
    return f"{sys.implementation.name}-{major}.{minor}"


def _seconds(interval: timedelta | None) -> float | None:
    return None if interval is None else interval.total_seconds()
