"""Wakes a host when something falls due."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Alarm", "SystemAlarm"]

_SLACK_S = 0.001
"""By how much it may be later than the engine asks for."""
_LONGEST_S = 3_600.0


class Alarm(Protocol):
    """What a host asks of time."""

    def stir(self) -> None:
        """Something happens: the host is about to pump."""
        ...

    def rest(self, wake_after_s: float | None) -> None:
        """The host has nothing to do until then."""
        ...

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """While somebody waits for a result."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Sleeps by the engine's clock."""
        ...

    def close(self) -> None:
        """Ends with its engine."""
        ...


class SystemAlarm:
    """By the loop's own time."""

    def __init__(self, loop: asyncio.AbstractEventLoop, schedule: Callable[[], None]) -> None:
        self._loop = loop
        self._schedule = schedule
        self._timer: asyncio.TimerHandle | None = None

    def stir(self) -> None:
        """Nothing to do: a timer that comes early does no harm."""

    def rest(self, wake_after_s: float | None) -> None:
        """Sets the timer, unless it comes early enough anyway."""
        if self._timer is not None:
            if wake_after_s is not None and self._timer.when() <= (
                self._loop.time() + wake_after_s + _SLACK_S
            ):
                # Arming one at every step would cost more than the step.
                return
            self._timer.cancel()
            self._timer = None
        if wake_after_s is not None:
            self._timer = self._loop.call_later(min(wake_after_s, _LONGEST_S), self._wake)

    def waiting(self) -> contextlib.AbstractContextManager[None]:
        """Who waits changes nothing."""
        return contextlib.nullcontext()

    async def sleep(self, seconds: float) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Wakes nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer = None
        self._schedule()
