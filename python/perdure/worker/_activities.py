"""Runs the activities of this process: on the loop, in threads, or in processes."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import traceback
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure._core import call_of, decode
from perdure._interceptor import ExecuteActivityCall, around
from perdure.activity._context import CompleteAsync, set_context
from perdure.convert import decode_arguments, failure_of, shape_of
from perdure.errors import ApplicationError, DecodeError, EncodeError
from perdure.worker._context import RunningActivity
from perdure.worker._line import Line
from perdure.worker._process_pool import new_pool, run_by_name
from perdure.worker._sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure._core import ActivityTask
    from perdure.activity._definition import ActivityDefinition
    from perdure.worker._queues import ServedQueues

__all__ = ["ActivityRunner"]

logger = logging.getLogger("perdure.worker")

_SHUTTING_DOWN = "the worker is shutting down"

_LOCAL_THREADS_MAX = 1_000
"""They count towards no limit: this many of a queue at once are a mistake of somebody's."""


class ActivityRunner:
    """The activities of one engine of this process."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        queues: ServedQueues,
        complete: Callable[[ActivityTask, Any], None],
        *,
        processes: int,
    ) -> None:
        self.sessions = Sessions()
        self._queues = queues
        self._loop = loop
        self._complete = complete
        self._processes_max = processes
        self._threads: dict[tuple[str, bool], ThreadPoolExecutor] = {}
        """By task queue, those of local activities apart: these wait behind no others."""
        self._processes: ProcessPoolExecutor | None = None
        self._running: dict[str, tuple[RunningActivity, asyncio.Task[None]]] = {}
        self._line = Line(loop, self._run, self._running)
        self._missing: set[tuple[str, str]] = set()
        """Activities that were asked for in vain: each is told of once."""

    def start(self, task: ActivityTask) -> None:
        """Begins an attempt, or puts it in line."""
        definition = self._queues.activity(task.task_queue, task.activity, task.version)
        if definition is None:
            self._tell_missing(task)
            return
        self.start_as(definition, task)

    def start_as(self, definition: ActivityDefinition[..., Any], task: ActivityTask) -> None:
        """Begins an attempt whose code is known, or puts it in line."""
        running = RunningActivity(task, is_async=definition.is_async)
        secrets = self._queues.secrets(task.task_queue, task.version)
        if secrets is not None:
            running.secrets = secrets
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
        return self.sessions.end(task_id) or self._stop(task_id, reason, is_interruption=False)

    def _stop(self, task_id: str, reason: str, *, is_interruption: bool) -> bool:
        """Ends an attempt: taken back by its run, or only because its worker ends, which is no
        reason for its workflow to fail. One that has not begun may then be handed out again.
        """
        self._line.note_suspended()
        running, runner = self._running.get(task_id, (None, None))
        unbegun = self._line.withdraw(task_id) if running is None else None
        if running is not None and runner is not None:
            running.is_interrupted |= is_interruption
            running.request_cancel()
            if not running.has_begun:
                del self._running[task_id]
                unbegun = running.task
            if unbegun is not None or running.is_async:
                runner.cancel(reason)
        if unbegun is not None and is_interruption:
            unbegun.not_started(reason)
        elif unbegun is not None:
            unbegun.cancelled()
        return running is not None or unbegun is not None

    async def finish(self, timeout_s: float, task_queue: str | None = None) -> None:
        """Lets attempts, of one task queue or of all, end by themselves, then cancels them."""
        await self._wait(timeout_s, task_queue)
        for task_id in [*self._of(task_queue), *self._line.waiting(task_queue)]:
            self._stop(task_id, _SHUTTING_DOWN, is_interruption=True)
        await self._wait(1.0, task_queue)
        if task_queue is not None:
            self.sessions.leave(task_queue)
        ended = [each for each in self._threads if task_queue in (None, each[0])]
        pools: list[Executor | None] = [self._threads.pop(each) for each in ended]
        if task_queue is None:
            pools.append(self._processes)
        for pool in pools:
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    async def _wait(self, timeout_s: float, task_queue: str | None) -> None:
        until = self._loop.time() + timeout_s
        while runners := self._runners(task_queue):
            left = until - self._loop.time()
            if left <= 0:
                return
            await asyncio.wait(runners, timeout=left)

    def _runners(self, task_queue: str | None) -> list[asyncio.Task[None]]:
        self._line.note_suspended()
        known = {runner for _, runner in self._running.values()}
        in_line = [runner for runner in self._line.runners() if runner not in known]
        runners = [*self._of(task_queue).values(), *in_line]
        return [runner for runner in runners if not runner.done()]

    def _of(self, task_queue: str | None) -> dict[str, asyncio.Task[None]]:
        """The attempts under way, of one task queue or of all."""
        return {
            task_id: runner
            for task_id, (running, runner) in self._running.items()
            if task_queue in (None, running.task.task_queue)
        }

    def _tell_missing(self, task: ActivityTask) -> None:
        queue, name = task.task_queue, task.activity
        if (queue, name) not in self._missing:
            self._missing.add((queue, name))
            logger.warning(
                "no worker of the task queue %r has the activity %r: its calls wait until one "
                "registers it in activities=[…]",
                queue,
                name,
            )
        task.not_started(f"this worker has no activity {name!r}")

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
        running.has_begun = True
        try:
            result = await self._call(definition, task)
            if running.revealed is not None:
                running.revealed.encode("the result", result)
            self._complete(task, result)
        except CompleteAsync:
            running.flush_heartbeat()
            task.detached()
        except asyncio.CancelledError:
            running.flush_heartbeat()
            if running.is_interrupted:
                task.fail(failure_of(_interrupted()))
            else:
                task.cancelled()
        except EncodeError as error:
            failure = ApplicationError(
                f"the result cannot travel: {error}", type="UnencodableResult", non_retryable=True
            )
            failure.__cause__ = error
            task.fail(running.failure_of(failure))
        except Exception as error:
            running.flush_heartbeat()
            _log_failure(task, error)
            task.fail(running.failure_of(error))

    async def _call(self, definition: ActivityDefinition[..., Any], task: ActivityTask) -> Any:
        try:
            types = definition.reference.parameter_types
            arguments = decode_arguments(types, task.arguments)
            if len(arguments) != len(types):
                # Too few may have defaults; too many, or one without, no attempt can mend.
                inspect.signature(definition.fn).bind(*arguments)
        except (DecodeError, TypeError) as error:
            raise ApplicationError(
                f"{definition.name}: the arguments do not fit: {error}",
                type="InvalidArguments",
                non_retryable=True,
            ) from error
        interceptors = self._queues.interceptors(task.task_queue, task.version)
        if definition.is_async and not interceptors:
            return await definition.fn(*arguments)
        if interceptors:
            call = ExecuteActivityCall(definition.name, arguments, dict(task.headers))
            innermost = partial(self._proceed, definition, task)
            return await around(interceptors, "execute_activity", innermost)(call)
        return await self._invoke(definition, task, arguments)

    async def _proceed(
        self,
        definition: ActivityDefinition[..., Any],
        task: ActivityTask,
        call: ExecuteActivityCall,
    ) -> Any:
        return await self._invoke(definition, task, call.arguments)

    async def _invoke(
        self,
        definition: ActivityDefinition[..., Any],
        task: ActivityTask,
        arguments: tuple[Any, ...],
    ) -> Any:
        if definition.is_async:
            return await definition.fn(*arguments)
        if definition.process_pool:
            return await self._in_process(definition, task)
        context = contextvars.copy_context()
        result = await self._loop.run_in_executor(
            self._thread_pool(task), lambda: context.run(definition.fn, *arguments)
        )
        # Of `lambda: fetch(url)` nobody can see before that it gives a coroutine.
        return await result if inspect.iscoroutine(result) else result

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

    def _thread_pool(self, task: ActivityTask) -> Executor:
        is_local = call_of(task)[2]
        served = task.task_queue, is_local
        pool = self._threads.get(served)
        if pool is None:
            threads = _LOCAL_THREADS_MAX if is_local else self._queues.slots(task.task_queue)
            pool = self._threads[served] = ThreadPoolExecutor(threads, "perdure-activity")
        return pool

    def _process_pool(self) -> Executor:
        if self._processes is None:
            self._processes = new_pool(self._processes_max)
        return self._processes


def _interrupted() -> ApplicationError:
    """Why an attempt failed that its worker did not wait for: the next one may begin at once."""
    return ApplicationError(
        "its worker was shut down before it ended",
        type="WorkerShutdown",
        next_retry_delay=timedelta(0),
    )


def _log_failure(task: ActivityTask, error: Exception) -> None:
    """A bug that nobody hears of would look like a long wait: the attempt is made again."""
    # An application that says so itself has foreseen it.
    level = logging.INFO if isinstance(error, ApplicationError) else logging.WARNING
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    logger.log(
        level,
        "attempt %d of the activity %r failed: %s: %s%s",
        task.attempt,
        task.activity,
        type(error).__name__,
        error,
        place,
    )
