"""Activities that never wait run one after the other in one asyncio task, in line.

A task of its own for each attempt costs more than a short attempt does. An activity that has once
been seen to wait is not admitted any more: it gets a task of its own from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from perdure.activity._context import set_context

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

    from perdure._core import ActivityTask
    from perdure.activity._definition import ActivityDefinition
    from perdure.worker._context import RunningActivity

    Attempt = tuple[ActivityDefinition[..., Any], RunningActivity]
    Run = Callable[[ActivityDefinition[..., Any], RunningActivity], Coroutine[Any, Any, None]]
    Running = dict[str, tuple[RunningActivity, asyncio.Task[None]]]

__all__ = ["Line"]

_TURN_S = 0.002
"""How long the line may hold the host's loop before others get a turn."""


class Line:
    """Attempts that have not begun, and the task that works them off.

    The task ends as soon as an attempt waits inside it, changes its context, or is cancelled: what
    comes next begins in a fresh one, so that no attempt meets what another has left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run: Run, running: Running) -> None:
        self._loop = loop
        self._run = run
        self._running = running
        """Where attempts are found that are under way and wait for something."""
        self._context = copy_context()
        self._waits: set[str] = set()
        """Activities that were seen to wait."""
        self._attempts: deque[Attempt] = deque()
        self._begun: Attempt | None = None
        """The attempt whose first step has not ended, or is not known to have."""
        self._runner: asyncio.Task[None] | None = None
        """The task at work; None while there is nothing to do."""

    def admits(self, definition: ActivityDefinition[..., Any]) -> bool:
        """Whether this activity was never seen to wait."""
        return definition.name not in self._waits

    def join(self, definition: ActivityDefinition[..., Any], running: RunningActivity) -> None:
        """Puts an attempt at the end."""
        self._attempts.append((definition, running))
        if self._runner is None:
            self._begin()

    def withdraw(self, task_id: str) -> ActivityTask | None:
        """Takes back an attempt that has not begun."""
        for attempt in self._attempts:
            if attempt[1].task.id == task_id:
                self._attempts.remove(attempt)
                return attempt[1].task
        return None

    def waiting(self, task_queue: str | None) -> list[str]:
        """The attempts that have not begun, of one task queue or of all."""
        tasks = [running.task for _, running in self._attempts]
        return [task.id for task in tasks if task_queue in (None, task.task_queue)]

    def runners(self) -> list[asyncio.Task[None]]:
        """The task at work, if there is one."""
        return [] if self._runner is None else [self._runner]

    def fresh_context(self) -> Context:
        """The context of every attempt: the worker's own, untouched by other attempts."""
        return self._context.copy()

    def note_suspended(self) -> None:
        """Between the steps of the loop, an attempt that has begun and not ended waits."""
        begun, runner = self._begun, self._runner
        if begun is None or runner is None:
            return
        definition, running = begun
        self._begun = None
        self._waits.add(definition.name)
        self._running[running.task.id] = (running, runner)

    def _begin(self) -> None:
        self._runner = self._loop.create_task(self._work(), context=self.fresh_context())

    def _step_over(self) -> None:
        self.note_suspended()
        self._runner = None
        if self._attempts:
            self._begin()

    async def _work(self) -> None:
        # Called when this step is over, whether it ended the work or an attempt waits.
        self._loop.call_soon(self._step_over, context=self._context)
        task = asyncio.current_task()
        until = time.perf_counter() + _TURN_S
        while self._attempts:
            attempt = self._attempts.popleft()
            self._begun = attempt
            definition, running = attempt
            set_context(running)
            before = copy_context()
            await self._run(definition, running)
            if self._begun is not attempt:
                self._running.pop(running.task.id, None)
                return
            self._begun = None
            touched = copy_context() != before or (task is not None and task.cancelling() > 0)
            if touched or time.perf_counter() >= until:
                return
