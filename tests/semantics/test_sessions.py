"""Sessions: activities that run in one and the same worker."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, RetryPolicy, Worker, activity, workflow
from perdure.activity import ActivityCancellationType
from perdure.errors import ActivityError, ApplicationError, SessionFailedError
from tests.e2e.waiting import until
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
ONCE = RetryPolicy(maximum_attempts=1)
SHORT = timedelta(milliseconds=50)


@activity.defn
async def process() -> int:
    return os.getpid()


@activity.defn(retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)))
async def flaky(attempts: int) -> int:
    if activity.info().attempt < attempts:
        raise ApplicationError("again", type="Flaky")
    return activity.info().attempt


@activity.defn
async def hangs() -> None:
    await asyncio.sleep(3_600)


begun = threading.Semaphore(0)


async def is_begun() -> None:
    await until(lambda: begun.acquire(blocking=False))


@activity.defn(retry_policy=ONCE)
async def answers_a_cancel(fails: bool) -> str:
    begun.release()
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        if fails:
            raise ApplicationError("could not undo", type="Undone") from None
    return "undone"


@workflow.defn
async def cancelled_calls() -> list[Any]:
    """The same calls inside a session and outside of one."""
    log: list[Any] = []
    async with workflow.session() as session:
        for execute in (session.execute_activity, workflow.execute_activity):
            for kind in ("WAIT_CANCELLATION_COMPLETED", "TRY_CANCEL"):
                for fails in (False, True):
                    log.append(await _cancelled(execute, ActivityCancellationType[kind], fails))
    return log


async def _cancelled(execute: Any, kind: ActivityCancellationType, fails: bool) -> str:
    call = asyncio.ensure_future(execute(answers_a_cancel, fails, cancellation_type=kind))
    await workflow.step(is_begun)
    call.cancel()
    await workflow.sleep(0)
    # Asked for twice, it is still waited for.
    call.cancel()
    try:
        return str(await call)
    except asyncio.CancelledError:
        return "cancelled"
    except ActivityError as error:
        return str(error.cause)


@workflow.defn
async def in_session() -> list[Any]:
    async with workflow.session() as session:
        first = await session.execute_activity(process)
        log: list[Any] = [await session.execute_activity(process) == first]
        log.append(await asyncio.gather(*(session.execute_activity(flaky, n) for n in (1, 3))))
        log.append(session.is_open)
        try:
            await session.execute_activity(flaky, 2, retry_policy=ONCE)
        except ActivityError as error:
            log.append(str(error.cause))
        try:
            async with asyncio.timeout(0.01):
                await session.execute_activity(hangs)
        except TimeoutError:
            log.append(session.is_open)
    log.append(session.is_open)
    return log


@workflow.defn
async def too_long() -> list[Any]:
    log: list[Any] = []
    async with workflow.session(execution_timeout=SHORT) as session:
        for activity_ in (hangs, process):
            try:
                await session.execute_activity(activity_)
            except SessionFailedError as error:
                log.append(str(error))
    async with workflow.session(task_queue="nobody's", creation_timeout=SHORT) as session:
        try:
            await session.execute_activity(process)
        except SessionFailedError as error:
            log.append(str(error))
    return log


@workflow.defn
async def uncaught() -> None:
    async with workflow.session(execution_timeout=SHORT) as session:
        await session.execute_activity(hangs)


@workflow.defn
class Holds:
    def __init__(self) -> None:
        self.may_end = False

    @workflow.run
    async def run(self) -> int:
        async with workflow.session() as session:
            begun = await session.execute_activity(process)
            await workflow.wait_condition(lambda: self.may_end)
        return begun

    @workflow.signal
    def end(self) -> None:
        self.may_end = True


@workflow.defn
async def misused() -> list[str]:
    elsewhere: Any = activity.service("other").activity(process.fn)
    log: list[str] = []
    async with workflow.session() as session:
        elsewhere_too: Any = {"task_queue": "another"}
        with pytest.raises(TypeError, match="task_queue is no option"):
            _ = session.execute_activity(process, **elsewhere_too)
        wrongs: list[Any] = [elsewhere, os.getpid]
        for wrong in wrongs:
            with pytest.raises(TypeError) as raised:
                _ = session.execute_activity(wrong)
            log.append(type(raised.value).__name__)
    with pytest.raises(RuntimeError):
        _ = session.execute_activity(process)
    return log


def _execute(workflow_: Any) -> Any:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(workflow_, id="w")

    return three_ways(scenario, THIS, activities=[process, flaky, hangs, answers_a_cancel])


def test_a_session_runs_its_activities_in_one_worker() -> None:
    assert _execute(in_session) == [True, [1, 3], True, "again", True, False]


def test_a_session_that_takes_too_long_fails_and_takes_nothing_any_more() -> None:
    late, after, unserved = _execute(too_long)
    assert late == after == "the session has failed: the attempt took too long"
    assert unserved == "the session has failed: no worker began it in time"


def test_a_cancelled_call_ends_in_a_session_as_outside_of_one() -> None:
    outcome = _execute(cancelled_calls)
    assert outcome[:4] == ["undone", "could not undo", "cancelled", "cancelled"]
    assert outcome[4:] == outcome[:4]


def test_what_is_no_activity_of_this_process_is_refused() -> None:
    assert _execute(misused) == ["TypeError", "TypeError"]


def test_a_session_failure_that_nobody_catches_fails_the_run() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(uncaught, id="w")
        with pytest.raises(Exception, match="failed") as raised:
            await handle.result()
        cause: Any = raised.value.__cause__
        return [cause.type, cause.message]

    assert three_ways(scenario, THIS, activities=[hangs]) == [
        "SessionFailedError",
        "the session has failed: the attempt took too long",
    ]


async def _limited(client: Client) -> list[Any]:
    begun = asyncio.Event()

    @activity.defn(name="process")
    async def begins() -> int:
        begun.set()
        return os.getpid()

    worker = Worker(client, workflows=[Holds], activities=[begins], max_concurrent_sessions=1)
    async with worker:
        first = await client.start_workflow(Holds, id="first")
        await begun.wait()
        second = await client.start_workflow(Holds, id="second")
        waits = [each.progress for each in await second.pending_activities()]
        await second.signal(Holds.end)
        await first.signal(Holds.end)
        return [await first.result(), await second.result(), waits]


def test_the_sessions_of_a_worker_are_limited(tmp_path: Any) -> None:
    async def main() -> list[Any]:
        return await _limited(await Client.connect(f"file:{tmp_path / 'app.db'}"))

    first, second, waits = asyncio.run(asyncio.wait_for(main(), 30))
    assert first == second == os.getpid()
    assert any("slots" in each for each in waits), waits
