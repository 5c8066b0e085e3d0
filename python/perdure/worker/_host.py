"""The pump between this process's asyncio loop and the engine."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import time
import traceback
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure._core import call_of, task_queues
from perdure.client._answer import Answer
from perdure.client._port import native_fields
from perdure.errors import (
    DeadlockError,
    NondeterminismError,
    PayloadCodecError,
    RunEvicted,
    ServerError,
    StoreDamagedError,
    StoreError,
)
from perdure.instance._instance import Instance
from perdure.worker._activities import ActivityRunner
from perdure.worker._alarm import SystemAlarm
from perdure.worker._backlog import Backlog
from perdure.worker._queries import SLICE_US, query_closed_run
from perdure.worker._queues import ServedQueues
from perdure.worker._skipping import TimeSkipper

if TYPE_CHECKING:
    from pathlib import Path

    from perdure._core import ActivityTask, EngineHost, SkippingClock, Turn, Work
    from perdure.activity._reference import ActivityReference
    from perdure.client._port import PendingFields
    from perdure.worker._alarm import Alarm
    from perdure.worker._watchdog import Watchdog

__all__ = ["Host"]

logger = logging.getLogger("perdure.worker")

INBOX_SECONDS = 10.0
"""How often the inbox is looked into without being asked."""

_MICROSECONDS = 1_000_000

_SHUT_DOWN = "this worker has shut down: start another on the same store"

_reply_numbers = itertools.count(1)


class Host:
    """One engine, pumped by the asyncio loop that opened it."""

    def __init__(
        self,
        path: Path,
        engine: EngineHost,
        *,
        processes: int,
        watchdog: Watchdog,
        clock: SkippingClock | None = None,
    ) -> None:
        self.path = path
        self.engine = engine
        self.loop = asyncio.get_running_loop()
        self.queues = ServedQueues()
        self.activities = ActivityRunner(
            self.loop, self.queues, self._complete, processes=processes
        )
        self._instances: dict[bytes, Instance] = {}
        self._backlog = Backlog()
        self._replies: dict[int, asyncio.Future[Answer]] = {}
        self._scheduled = False
        self.ended: asyncio.Future[ServerError] = self.loop.create_future()
        """Why the engine has ended, once it has; a `StoreError` when it could not go on."""
        self._watchdog = watchdog
        self._alarm: Alarm = (
            SystemAlarm(self.loop, self._schedule)
            if clock is None
            else TimeSkipper(self.loop, engine, clock, self._schedule)
        )

    def start(self) -> None:
        """Begins to pump."""
        self.loop.add_reader(self.engine.fileno(), self._schedule)
        self._schedule()
        self._look_into_inbox()

    def read_inbox(self) -> None:
        """Takes what other processes have left in the inbox."""
        if not self.ended.done():
            self.engine.read_inbox()
            self._schedule()

    def host_changed(self) -> None:
        """Tells the engine what this process hosts; parked runs are tried again."""
        self.engine.set_hosted(self.queues.hosted(), list(self.queues.service_limits.items()))
        self._schedule()

    @property
    def is_closed(self) -> bool:
        """Whether the engine has ended."""
        return self.ended.done()

    async def send(self, kind: str, message_id: str, fields: dict[str, Any]) -> Answer:
        """Hands a message over and waits for the answer."""
        if kind == "await_result":
            with self._alarm.waiting():
                return await self._send(kind, message_id, fields)
        answer = await self._send(kind, message_id, fields)
        if kind == "query" and answer.kind == "closed":
            return await query_closed_run(self.path, self.queues, fields, self._watchdog)
        return answer

    async def _send(self, kind: str, message_id: str, fields: dict[str, Any]) -> Answer:
        if self.ended.done():
            raise self.ended.result()
        number = next(_reply_numbers)
        future: asyncio.Future[Answer] = self.loop.create_future()
        self._replies[number] = future
        self.engine.send(kind, message_id, number, **native_fields(fields))
        self._schedule()
        try:
            return await future
        finally:
            self._replies.pop(number, None)

    async def sleep(self, seconds: float) -> None:
        """Sleeps by the engine's clock."""
        await self._alarm.sleep(seconds)

    async def pending_activities(self, run: bytes) -> list[PendingFields] | None:
        """The outstanding activities of an open run; None when it is not open."""
        if self.ended.done():
            raise self.ended.result()
        return self.engine.pending_activities(run)

    async def task_queues(self) -> list[Any]:
        """The task queues and services, as the engine tells them."""
        if self.ended.done():
            raise self.ended.result()
        return list(task_queues(self.engine))

    def close(self) -> None:
        """Ends the engine; committed state stays for the next one."""
        if not self.ended.done():
            self._end(ServerError(_SHUT_DOWN))

    def _end(self, error: ServerError) -> None:
        """Ends the engine; those who wait for an answer get the error."""
        self.ended.set_result(error)
        self.loop.remove_reader(self.engine.fileno())
        self._alarm.close()
        for future in self._replies.values():
            if not future.done():
                future.set_exception(error)
        self._drop_instances()
        self._watchdog.close()
        self.engine.close()

    def _look_into_inbox(self) -> None:
        """Clients say when they have left something; this is for those that died before."""
        if not self.ended.done():
            self.read_inbox()
            self.loop.call_later(INBOX_SECONDS, self._look_into_inbox)

    def _complete(self, task: ActivityTask, result: Any) -> None:
        self.engine.complete(task, result)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self.ended.done():
            self._scheduled = True
            self.loop.call_soon(self._run)
            self._alarm.stir()

    def _run(self) -> None:
        """Pumps and steps until there is nothing to do, or the slice is used up."""
        self._scheduled = False
        if self.ended.done():
            return
        deadline = time.perf_counter() + SLICE_US / _MICROSECONDS
        while True:
            work = self.engine.pump()
            if work.stopped is not None:
                if self._reopen(work.stopped):
                    continue
                return
            self._take(work)
            stepped = self._step(deadline)
            self._start_tasks(deadline)
            if self._backlog or time.perf_counter() >= deadline:
                self._schedule()
                return
            if work.commit_inline:
                self.engine.commit_inline()
                continue
            if not stepped and not work.more:
                # Whatever comes in from now on schedules the next pump by itself.
                self._alarm.rest(work.wake_after_s)
                return

    def _take(self, work: Work) -> None:
        if work.is_idle:
            return
        for number, run, name, arguments in work.queries():
            answer = self._watchdog.answer(self._instances.get(run), name, arguments)
            self._answer(number, answer)
        for run in work.evictions():
            instance = self._instances.pop(run, None)
            if instance is not None:
                instance.evict()
        self._backlog.take(work)
        for task_id, reason in work.cancels():
            self._cancel(task_id, reason)
        for number, reply in work.replies():
            self._answer(number, Answer.of(reply))

    def _answer(self, number: int, answer: Answer) -> None:
        future = self._replies.get(number)
        if future is not None and not future.done():
            future.set_result(answer)

    def _start_tasks(self, deadline: float) -> None:
        tasks = self._backlog.tasks
        while tasks and time.perf_counter() < deadline:
            task = tasks.popleft()
            run, number, is_local, session = call_of(task)
            if session == 0:
                self.activities.sessions.begin(task)
            elif is_local:
                self._start_local(task, run, number)
            else:
                self.activities.start(task)

    def _start_local(self, task: ActivityTask, run: bytes, number: int) -> None:
        """The code is the instance's own, but for a mock that the worker has in its place."""
        instance = self._instances.get(run)
        if instance is None:
            task.not_started("its run has just left the cache")
            return
        reference: ActivityReference | None = instance.reference_of(number)
        if reference is None:
            task.cancelled()
            return
        registered = None
        if not reference.is_step:
            registered = self.queues.activity(task.task_queue, task.activity, task.version)
        self.activities.start_as(registered or reference.definition, task)

    def _cancel(self, task_id: str, reason: str) -> None:
        if self.activities.cancel(task_id, reason):
            return
        task = self._backlog.withdraw(task_id)
        if task is not None:
            task.cancelled()

    def _instance_of(self, turn: Turn) -> Instance:
        instance = self._instances.get(turn.run)
        if instance is None or turn.replay:
            if instance is not None:
                instance.evict()
            find = partial(self.queues.workflow, version=turn.version)
            instance = Instance(find, turn.run_id, turn.now_us)
            self._instances[turn.run] = instance
        self.engine.begin_turn(turn, instance)
        return instance

    def _step(self, deadline: float) -> bool:
        """Steps runs until the deadline; says whether any turn was ended, which is to be pumped."""
        ended = False
        backlog = self._backlog
        while backlog.stepping or backlog.turns:
            left_us = int((deadline - time.perf_counter()) * _MICROSECONDS)
            if left_us <= 0:
                return ended
            if backlog.stepping is None:
                # Made only now: a thousand new instances at once would hold the loop.
                turn = backlog.turns.popleft()
                backlog.stepping = (turn, self._instance_of(turn))
            turn, instance = backlog.stepping
            try:
                if not self._watchdog.drive(instance, left_us):
                    return ended
                bug = instance.bug
            except RunEvicted:
                raise
            except (Exception, asyncio.CancelledError) as error:
                bug = error
            backlog.stepping = None
            ended = True
            if bug is None:
                self.engine.end_turn(turn, instance)
            else:
                self._park(turn, instance, bug)
        return ended

    def _park(self, turn: Turn, instance: Instance, bug: BaseException) -> None:
        text = "".join(traceback.format_exception(bug))
        code = bug.code if isinstance(bug, NondeterminismError | DeadlockError) else "PRD1202"
        message = f"{type(bug).__name__}: {bug}"
        workflow_type = instance.workflow_type
        logger.error(
            "run %s of %s is parked (%s): %s\n%s", turn.run_id, workflow_type, code, message, text
        )
        self.engine.park(
            turn,
            instance,
            code=code,
            message=message,
            traceback=text,
            code_hash=_code_hash(instance),
        )
        self._instances.pop(turn.run, None)
        instance.evict()

    def _reopen(self, reason: StoreError) -> bool:
        """Opens the store again; False when that cannot help, and the worker has stopped."""
        logger.error("the store must be opened again: %s", reason)
        self._drop_instances()
        try:
            if isinstance(reason, StoreDamagedError | PayloadCodecError):
                # Opened again, it would be as before, and again without an end.
                raise reason
            self.engine.reopen()
        except StoreError as error:
            logger.critical("this worker has stopped: %s", error)
            self._end(error)
            return False
        self.host_changed()
        return True

    def _drop_instances(self) -> None:
        self._backlog.clear()
        for instance in self._instances.values():
            instance.evict()
        self._instances.clear()


def _code_hash(instance: Instance) -> int:
    """A hash of the workflow's code, by which new code is known; 0 when there is none."""
    definition = instance.definition
    if definition is None:
        return 0
    try:
        source = inspect.getsource(definition.cls or definition.fn)
    except (OSError, TypeError):
        return zlib.crc32(definition.fn.__code__.co_code)
    return zlib.crc32(source.encode())
