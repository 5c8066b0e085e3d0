"""`WorkflowEnvironment`: a store of one test, with a clock that skips or the system's own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Self

from perdure._interceptor import Interceptor
from perdure.client import Client
from perdure.client._client import DEFAULT_NAMESPACE
from perdure.client._clock import new_clock
from perdure.client._port import sleep
from perdure.converter import DataConverter

__all__ = ["WorkflowEnvironment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOM = 1 << 30
"""Containers often have far less of it than a long test may write."""
_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of the test's own is made in it


class WorkflowEnvironment:
    """A client of a store that is there for one test. Start workers on it as on any other.

    ```python
    async with await WorkflowEnvironment.start_time_skipping() as env:
        async with Worker(env.client, workflows=[remind], activities=[send]):
            assert await env.client.execute_workflow(remind, "in a year") == "sent"
    ```
    """

    def __init__(self, folder: Path, client: Client) -> None:
        self.client = client
        """For workers, and to start workflows."""
        self._folder = folder

    @classmethod
    async def start_time_skipping(
        cls,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> Self:
        """An environment whose time jumps: a year of sleep takes milliseconds.

        Time stands still while workflows have anything to do. When they only wait, and the test
        awaits a `result()` or `env.sleep`, it jumps to where something falls due. While activities
        run it goes on with the system's clock, and so it does while the test awaits neither.

        Args:
            namespace: That of the client; `default` by default.
            interceptors: As for `Client.connect`; none by default.
            data_converter: As for `Client.connect`; none by default.
        """
        client = partial(Client, interceptors=interceptors, data_converter=data_converter)
        return await asyncio.to_thread(cls.new, namespace, client, skips_time=True)

    @classmethod
    async def start_local(
        cls,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> Self:
        """An environment on the system's time.

        Args:
            namespace: That of the client; `default` by default.
            interceptors: As for `Client.connect`; none by default.
            data_converter: As for `Client.connect`; none by default.
        """
        client = partial(Client, interceptors=interceptors, data_converter=data_converter)
        return await asyncio.to_thread(cls.new, namespace, client, skips_time=False)

    @classmethod
    def new(
        cls, namespace: str, client: Callable[..., Client] = Client, *, skips_time: bool
    ) -> Self:
        """An environment, without a loop: it belongs to none before a worker is started on it."""
        folder = _new_folder()
        clock = new_clock() if skips_time else None
        return cls(folder, client(folder / "test.db", namespace, clock=clock))

    @property
    def supports_time_skipping(self) -> bool:
        """Whether time jumps here."""
        return self.client.clock is not None

    async def sleep(self, duration: timedelta | float) -> None:
        """Sleeps by the environment's time, and so lets it pass for workflows.

        Activities may sleep so too: those that do are slow without the test being so.

        Args:
            duration: How long; a number is seconds.
        """
        seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
        if await sleep(self.client.path, seconds):
            return
        clock = self.client.clock
        if clock is None:
            await asyncio.sleep(seconds)
        else:
            # No worker is there: an outage, over which nothing falls due.
            clock.advance_to(clock.now_us + round(seconds * 1_000_000))

    async def get_current_time(self) -> datetime:
        """The environment's time, in UTC."""
        clock = self.client.clock
        now_us = time.time_ns() // 1_000 if clock is None else clock.now_us
        return _EPOCH + timedelta(microseconds=now_us)

    @contextlib.contextmanager
    def auto_time_skipping_disabled(self) -> Generator[None]:
        """Within it time goes on with the system's clock; `env.sleep` takes as long as it says."""
        clock = self.client.clock
        if clock is not None:
            clock.hold()
        try:
            yield
        finally:
            if clock is not None:
                clock.release()

    async def shutdown(self) -> None:
        """Deletes the store. Workers on it have to be shut down before. Safe to call twice."""
        await asyncio.to_thread(self.remove)

    def remove(self) -> None:
        """The same, for who has no loop."""
        shutil.rmtree(self._folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.shutdown()


def _new_folder() -> Path:
    """In memory where the system has such a folder: what a test stores need not survive it."""
    parent = None
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM:
        parent = _MEMORY
    try:
        return Path(tempfile.mkdtemp(prefix="perdure-test-", dir=parent))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="perdure-test-"))
