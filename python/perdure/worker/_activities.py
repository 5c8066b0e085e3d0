"""Runs the activities of this process: on the loop, in threads, or in processes."""

from __future__ import annotations

import asyncio
import contextvars
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any

from perdure._core import decode
from perdure.activity._context import set_context
from perdure.convert import failure_of, shape_of
from perdure.errors import ApplicationError, DecodeError, EncodeError
from perdure.worker._context import RunningActivity
from perdure.worker._line import Line
from perdure.worker._process_pool import decode_arguments, new_pool, run_by_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure._core import ActivityTask
    from perdure.activity._definition import ActivityDefinition

__all__ = ["ActivityRunner"]


class ActivityRunner:
    """The activities of one engine of this process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        complete: Callable[[ActivityTask, Any], None],
        *,
        threads: int,
        processes: int,
    ) -> None:
        self.definitions: dict[str, ActivityDefinition[..., Any]] = {}
        self._loop = loop
        self._complete = complete
        self._threads_max = threads
        self._processes_max = processes
        self._threads: ThreadPoolExecutor | None = None
        self._processes: ProcessPoolExecutor | None = None
        self._running: dict[str, tuple[RunningActivity, asyncio.Task[None]]] = {}
        self._line = Line(loop, self._run, self._running)

    def start(self, task: ActivityTask) -> None:
        """Begins an attempt, or puts it in line."""
        definition = self.definitions.get(task.activity)
        if definition is None:
            task.not_started(f"this worker has no activity {task.activity!r}")
            return
        running = RunningActivity(task)
        if definition.is_async and self._line.admits(definition):
            self._line.join(definition, running)
            return
        task_id = task.id
        runner = self._loop.create_task(
            self._run_alone(definition, running, task_id), context=self._line.fresh_context()
        )
        self._running[task_id] = (running, runner)

    def cancel(self, task_id: str, reason: str) -> bool:
        """Asks an attempt to end; False when it is not under way."""
        self._line.note_suspended()
        found = self._running.get(task_id)
        if found is None:
            task = self._line.withdraw(task_id)
            if task is not None:
                task.cancelled()
            return task is not None
        running, runner = found
        running.request_cancel()
        definition = self.definitions.get(running.task.activity)
        if definition is not None and definition.is_async:
            runner.cancel(reason)
        return True

    async def finish(self, timeout_s: float) -> None:
        """Lets attempts end by themselves for a while, then cancels them."""
        await self._wait(timeout_s)
        for task_id in [*self._running, *self._line.waiting()]:
            self.cancel(task_id, "the worker is shutting down")
        await self._wait(1.0)
        for pool in (self._threads, self._processes):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    async def _wait(self, timeout_s: float) -> None:
        until = self._loop.time() + timeout_s
        while runners := self._runners():
            left = until - self._loop.time()
            if left <= 0:
                return
            await asyncio.wait(runners, timeout=left)

    def _runners(self) -> list[asyncio.Task[None]]:
        self._line.note_suspended()
        runners = [runner for _, runner in self._running.values()] + self._line.runners()
        return [runner for runner in runners if not runner.done()]

    async def _run_alone(
        self, definition: ActivityDefinition[..., Any], running: RunningActivity, task_id: str
    ) -> None:
        set_context(running)
        try:
            await self._run(definition, running)
        finally:
            self._running.pop(task_id, None)

    async def _run(
        self, definition: ActivityDefinition[..., Any], running: RunningActivity
    ) -> None:
        task = running.task
        try:
            result = await self._call(definition, task)
            self._complete(task, result)
        except asyncio.CancelledError:
            running.flush_heartbeat()
            task.cancelled()
        except EncodeError as error:
            failure = ApplicationError(
                f"the result cannot travel: {error}", type="UnencodableResult", non_retryable=True
            )
            failure.__cause__ = error
            task.fail(failure_of(failure))
        except Exception as error:
            running.flush_heartbeat()
            task.fail(failure_of(error))

    async def _call(self, definition: ActivityDefinition[..., Any], task: ActivityTask) -> Any:
        try:
            arguments = decode_arguments(definition, task.arguments)
        except (DecodeError, TypeError) as error:
            raise ApplicationError(
                f"{definition.name}: the arguments do not fit: {error}",
                type="InvalidArguments",
                non_retryable=True,
            ) from error
        if definition.is_async:
            return await definition.fn(*arguments)
        if definition.process_pool:
            return await self._in_process(definition, task)
        context = contextvars.copy_context()
        return await self._loop.run_in_executor(
            self._thread_pool(), lambda: context.run(definition.fn, *arguments)
        )

    async def _in_process(
        self, definition: ActivityDefinition[..., Any], task: ActivityTask
    ) -> Any:
        fn, pool = definition.fn, self._process_pool()
        try:
            data = await self._loop.run_in_executor(
                pool, run_by_name, fn.__module__, fn.__qualname__, task.arguments
            )
        except BrokenProcessPool:
            # A process died, and its pool refuses everything from now on: the next attempt gets
            # a new one.
            if self._processes is pool:
                self._processes = None
            raise
        return decode(data, shape_of(definition.reference.result_type))

    def _thread_pool(self) -> Executor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._threads_max, "perdure-activity")
        return self._threads

    def _process_pool(self) -> Executor:
        if self._processes is None:
            self._processes = new_pool(self._processes_max)
        return self._processes
