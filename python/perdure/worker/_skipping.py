"""Drives a clock that skips: when nothing can happen before the next deadline, it comes now."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from typing import TYPE_CHECKING

from perdure.activity._context import is_running

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from perdure._core import EngineHost, SkippingClock

__all__ = ["TimeSkipper"]

_QUIET_ROUNDS = 12
"""How many rounds of the loop nothing may have happened before time jumps: code that an answer
wakes goes through some, by tasks and gathers, until it sends its next message."""

_TICK_SECONDS = 0.05
"""In which steps real time passes while activities are at work, or nobody waits for anything."""

_MICROSECONDS = 1_000_000


class TimeSkipper:
    """Moves the clock of one engine, from the loop that pumps it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        engine: EngineHost,
        clock: SkippingClock,
        schedule: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._engine = engine
        self._clock = clock
        self._schedule = schedule
        self._awaited = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._sleeping_tasks = 0
        self._quiet_rounds = 0
        self._next: asyncio.Handle | None = None

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """While somebody waits for a result, time may jump."""
        self._awaited += 1
        try:
            yield
        finally:
            self._awaited -= 1

    async def sleep(self, seconds: float) -> None:
        """Sleeps by the engine's clock, which jumps; an activity that sleeps does not hold time."""
        until_us = self._clock.now_us + round(seconds * _MICROSECONDS)
        future: asyncio.Future[None] = self._loop.create_future()
        heapq.heappush(self._sleepers, (until_us, next(self._numbers), future))
        in_activity = is_running()
        self._sleeping_tasks += in_activity
        self._schedule()
        try:
            await future
        finally:
            self._sleeping_tasks -= in_activity

    def stir(self) -> None:
        """Something happens: time stands still."""
        self._quiet_rounds = 0
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def rest(self, wake_after_s: float | None) -> None:
        """The host has nothing to do: when something falls due, the engine knows."""
        del wake_after_s
        self._wake_sleepers()
        self._soon()

    def close(self) -> None:
        """Ends with its engine; who sleeps wakes."""
        self.stir()
        for _, _, future in self._sleepers:
            if not future.done():
                future.set_result(None)

    def _soon(self) -> None:
        if self._next is None:
            self._next = self._loop.call_soon(self._look)

    def _look(self) -> None:
        self._next = None
        self._quiet_rounds += 1
        if self._quiet_rounds < _QUIET_ROUNDS:
            self._soon()
            return
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._awaited or self._sleepers:
            until_us = self._sleepers[0][0] if self._sleepers else None
            if self._engine.skip_time(until_us, self._sleeping_tasks) == "moved":
                self._schedule()
                return
        began = self._loop.time()
        self._next = self._loop.call_later(_TICK_SECONDS, self._tick, began)

    def _tick(self, began: float) -> None:
        self._next = None
        self._engine.pass_time(round((self._loop.time() - began) * _MICROSECONDS))
        self._schedule()

    def _wake_sleepers(self) -> None:
        now_us = self._clock.now_us
        while self._sleepers and self._sleepers[0][0] <= now_us:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
