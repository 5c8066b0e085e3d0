"""What CPython alone can do: the ceiling for every figure about stepping and replay.

A C `asyncio.Task` awaits one C future after another on a loop that is nothing but a deque: no
handles, no contexts, no timers. Nothing that drives Python coroutines through asyncio futures
from Python code can be faster; a native loop can come near it or, since it has no Python frame
between two steps, pass it.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cpython_floor_steps_per_s"]


class _FloorLoop:
    """The least that the C task asks of a loop."""

    def __init__(self) -> None:
        self.ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:  # noqa: ARG002
        self.ready.append((callback, args))

    def get_debug(self) -> bool:
        return False


def cpython_floor_steps_per_s(steps: int = 200_000, rounds: int = 5) -> float:
    """Sequential awaits a second, the best of several rounds, collector off."""
    return max(_measure(steps) for _ in range(rounds))


def _measure(steps: int) -> float:
    floor_loop = _FloorLoop()
    loop: Any = floor_loop
    future_class = asyncio.Future
    waiting: list[asyncio.Future[None]] = []

    async def workflow() -> None:
        for _ in range(steps):
            future: asyncio.Future[None] = future_class(loop=loop)
            waiting.append(future)
            await future

    task = asyncio.Task(workflow(), loop=loop)
    ready = floor_loop.ready
    was_enabled = gc.isenabled()
    gc.disable()
    started = time.perf_counter()
    try:
        while not task.done():
            while ready:
                callback, arguments = ready.popleft()
                callback(*arguments)
            if waiting:
                waiting.pop().set_result(None)
    finally:
        elapsed = time.perf_counter() - started
        if was_enabled:
            gc.enable()
    return steps / elapsed


if __name__ == "__main__":
    print(f"cpython_floor_steps_per_s {cpython_floor_steps_per_s():,.0f}")
