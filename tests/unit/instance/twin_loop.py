"""A plain Python twin of the native loop: the oracle that the random programs are held against.

The same laws in the shortest code: rounds, timers that are due at the next round, and later ones
one at a time, each to idle, by (deadline, creation).
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import sys
from asyncio import taskgroups, tasks
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from perdure.instance._ordered import OrderedSet


class TwinHandle:
    """A callback and whether it still counts."""

    def __init__(self, callback: Callable[..., object], arguments: Any, context: Any) -> None:
        self.callback = callback
        self.arguments = arguments
        self.context = contextvars.copy_context() if context is None else context
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled


class TwinLoop:
    """Time is microseconds since the beginning, moved by the timers alone."""

    def __init__(self) -> None:
        self.ready: deque[TwinHandle] = deque()
        self.due: list[tuple[float, int, TwinHandle]] = []
        self.timers: list[tuple[int, int, TwinHandle]] = []
        self.now_us = 0
        self.created = 0
        self.errors: list[str] = []

    def time(self) -> float:
        return self.now_us / 1e6

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast("Any", self))

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        self.created += 1
        return asyncio.Task(
            coro, loop=cast("Any", self), name=name or f"Task-{self.created}", context=context
        )

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = TwinHandle(callback, args, context)
        self.ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        handle = TwinHandle(callback, args, context)
        self.created += 1
        delay = when - self.time()
        if delay <= 0:
            self.due.append((when, self.created, handle))
        else:
            fire_at = self.now_us - int(-(delay * 1e6 - 1e-3) // 1)
            heapq.heappush(self.timers, (fire_at, self.created, handle))
        return handle

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(str(context["message"]).split(" at ", maxsplit=1)[0])

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def run_round(self) -> None:
        for _when, _number, handle in sorted(self.due, key=lambda entry: entry[:2]):
            self.ready.append(handle)
        self.due.clear()
        for _ in range(len(self.ready)):
            handle = self.ready.popleft()
            if not handle.is_cancelled:
                handle.context.run(handle.callback, *handle.arguments)

    def run(self, coroutine: Any) -> asyncio.Task[Any]:
        """Runs it as the first task, to the end of everything that can still happen."""
        task: asyncio.Task[Any] = self.create_task(coroutine)
        while True:
            while self.ready or self.due:
                self.run_round()
            while self.timers and self.timers[0][2].is_cancelled:
                heapq.heappop(self.timers)
            if task.done() or not self.timers:
                return task
            fire_at, _number, handle = heapq.heappop(self.timers)
            self.now_us = max(self.now_us, fire_at)
            self.ready.append(handle)


@contextmanager
def twin_running(loop: TwinLoop) -> Generator[None]:
    """The twin as the running loop, with asyncio's sets in the order of insertion."""
    before = {module: vars(module).get("set") for module in (tasks, taskgroups)}
    for module in before:
        vars(module)["set"] = OrderedSet
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(
        None, lambda generator: loop.call_soon(loop.create_task, generator.aclose())
    )
    asyncio._set_running_loop(cast("Any", loop))
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)
        asyncio._set_running_loop(None)
        for module, original in before.items():
            vars(module)["set"] = original or set
