"""One program on three loops: the standard library's, the Python twin, and the workflow's own."""

from __future__ import annotations

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from perdure.instance._loop import TimerSource, WorkflowLoop
from perdure.instance._random import RandomStreams
from tests.unit.instance.twin_loop import TwinLoop, twin_running

EPOCH_US = 1_700_000_000_000_000

Program = Callable[["Log"], Coroutine[Any, Any, Any]]


class Log:
    """What a program saw, each entry with the loop's time."""

    def __init__(self) -> None:
        self.entries: list[tuple[float, Any]] = []

    def __call__(self, *seen: Any) -> None:
        now = round(asyncio.get_running_loop().time(), 6)
        self.entries.append((now, seen[0] if len(seen) == 1 else seen))


@dataclass
class Outcome:
    """How a program ended and what it saw on its way."""

    entries: list[tuple[float, Any]]
    result: Any
    commands: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]], compare=False)


class VirtualTimers(TimerSource):
    """The run's durable timers on a virtual clock; remembers every command."""

    def __init__(self) -> None:
        self.commands: list[tuple[Any, ...]] = []
        self.pending: dict[int, int] = {}
        self.next_id = 1

    def start_timer(self, fire_at_us: int) -> int:
        timer_id = self.next_id
        self.next_id += 1
        self.pending[timer_id] = fire_at_us
        self.commands.append(("start", timer_id, fire_at_us - EPOCH_US))
        return timer_id

    def cancel_timer(self, timer_id: int) -> None:
        del self.pending[timer_id]
        self.commands.append(("cancel", timer_id))

    def take_first(self) -> tuple[int, int] | None:
        """The timer that fires next, by (deadline, creation), and its instant."""
        if not self.pending:
            return None
        timer_id = min(self.pending, key=lambda each: (self.pending[each], each))
        return timer_id, self.pending.pop(timer_id)


class Run:
    """A workflow loop with virtual timers, driven as the instance drives it."""

    def __init__(self, seed: str = "seed") -> None:
        self.timers = VirtualTimers()
        # Its refused methods are made by a loop, which type checkers take for abstract.
        make: Any = WorkflowLoop
        self.loop: WorkflowLoop = make(self.timers, EPOCH_US)
        self.loop.random_streams = RandomStreams(seed)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = self.loop.inside(self.loop.create_task, coroutine)
        return task

    def fire_next(self) -> bool:
        """Moves the clock to the next timer and fires it; False when there is none."""
        first = self.timers.take_first()
        if first is None:
            return False
        timer_id, fire_at_us = first
        self.loop.set_now(max(fire_at_us, self.loop.now_us))
        assert self.loop.fire_timer(timer_id)
        return True

    def finish(self, task: asyncio.Task[Any], budget_us: int | None = None) -> None:
        """Runs to the task's end, or until nothing can happen any more."""
        while True:
            while not self.loop.run_until_idle(budget_us):
                pass
            if task.done() or not self.fire_next():
                return


def on_workflow_loop(program: Program, budget_us: int | None = None) -> Outcome:
    log = Log()
    run = Run()
    task = run.start(program(log))
    run.finish(task, budget_us)
    return Outcome(log.entries, _result(task), run.timers.commands)


def on_twin(program: Program) -> Outcome:
    log = Log()
    loop = TwinLoop()
    with twin_running(loop):
        task = contextvars.Context().run(loop.run, program(log))
    return Outcome(log.entries, _result(task))


class _JumpingSelector(selectors.SelectSelector):
    """Jumps over the time that nobody needs."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("the program waits for something that never happens")
        self.now += timeout
        return super().select(0)


def on_stock_loop(program: Program) -> Outcome:
    selector = _JumpingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    log = Log()
    try:
        task = loop.create_task(program(log), context=contextvars.Context())
        loop.run_until_complete(asyncio.wait([task]))
        return Outcome(log.entries, _result(task))
    finally:
        loop.close()


def _result(task: asyncio.Task[Any]) -> Any:
    if not task.done():
        return "pending"
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return task.result() if error is None else _shape(error)


def _shape(error: BaseException) -> Any:
    """An exception as a value that compares: groups are compared member by member."""
    if isinstance(error, BaseExceptionGroup):
        members: tuple[BaseException, ...] = cast("Any", error).exceptions
        return ("group", [_shape(each) for each in members])
    return (type(error).__name__, str(error))
