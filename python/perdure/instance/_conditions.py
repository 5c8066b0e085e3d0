"""`wait_condition`: predicates over a workflow's own state, looked at when its loop is idle."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Conditions"]


class Conditions:
    """The conditions that a run waits for, in the order of their creation."""

    def __init__(self, tell_present: Callable[[bool], None]) -> None:
        self._tell_present = tell_present
        self._waiting: dict[asyncio.Future[None], Callable[[], bool]] = {}

    async def wait(self, predicate: Callable[[], bool]) -> None:
        """Returns once the predicate holds; at once when it holds already."""
        if predicate():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = predicate
        self._tell_present(True)
        try:
            await future
        finally:
            self._waiting.pop(future, None)
            self._tell_present(bool(self._waiting))

    def resolve(self) -> bool:
        """Wakes the first waiter whose predicate holds; False when none does.

        One at a time: what a waiter does may make the next predicate false again, and the loop
        asks once more when it is idle.
        """
        for future, predicate in self._waiting.items():
            if not future.done() and predicate():
                future.set_result(None)
                return True
        return False
