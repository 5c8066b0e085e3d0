"""`WorkflowEnvironment`: time that jumps, and when it does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from perdure import RetryPolicy, Worker, activity, workflow
from perdure._core import StoreReader
from perdure.errors import WorkflowFailureError
from perdure.testing import WorkflowEnvironment
from tests.e2e.waiting import until

_LIMIT_SECONDS = 60.0


@workflow.defn
async def many_sleeps(count: int) -> float:
    began = workflow.now()
    for _ in range(count):
        await asyncio.sleep(3_600)
    return (workflow.now() - began).total_seconds()


@workflow.defn
async def sleeps(seconds: float) -> float:
    began = workflow.now()
    await asyncio.sleep(seconds)
    return (workflow.now() - began).total_seconds()


@workflow.defn
class Waiting:
    def __init__(self) -> None:
        self.seen: list[float] = []

    @workflow.run
    async def run(self, seconds: float) -> list[float]:
        try:
            async with asyncio.timeout(seconds):
                await workflow.wait_condition(lambda: False)
        except TimeoutError:
            pass
        return self.seen

    @workflow.signal
    def mark(self) -> None:
        self.seen.append(workflow.time())


@activity.defn
async def quick(value: int) -> int:
    await asyncio.sleep(0.02)
    return value


@workflow.defn
async def races(seconds: float) -> str:
    try:
        return str(await asyncio.wait_for(quick(7), seconds))
    except TimeoutError:
        return "timeout"


@activity.defn(
    start_to_close_timeout=timedelta(seconds=0.2), retry_policy=RetryPolicy(maximum_attempts=1)
)
async def hangs() -> None:
    await asyncio.sleep(60)


@workflow.defn
async def calls_what_hangs() -> None:
    await hangs()


@activity.defn
async def fails_often() -> int:
    attempt = activity.info().attempt
    if attempt < 12:
        raise ValueError(attempt)
    return attempt


@workflow.defn
async def retries() -> tuple[int, float]:
    began = workflow.now()
    attempt = await fails_often()
    return attempt, (workflow.now() - began).total_seconds()


def in_environment(scenario: Callable[[WorkflowEnvironment], Awaitable[None]]) -> None:
    async def run() -> None:
        async with await WorkflowEnvironment.start_time_skipping() as env:
            await asyncio.wait_for(scenario(env), _LIMIT_SECONDS)

    asyncio.run(run())


def test_a_year_of_sleeps_takes_no_time() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[many_sleeps]):
            before = await env.get_current_time()
            began = time.monotonic()
            slept = await env.client.execute_workflow(many_sleeps, 8_760)
            assert slept == 8_760 * 3_600, "the clock stands still while a turn is taken"
            assert (await env.get_current_time()) - before == timedelta(days=365)
            assert time.monotonic() - began < 30

    in_environment(scenario)


def test_many_runs_sleep_at_once() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[sleeps]):
            lengths = [float(1 + number % 97) for number in range(2_000)]
            results = await asyncio.gather(
                *(env.client.execute_workflow(sleeps, each) for each in lengths)
            )
            assert list(results) == lengths

    in_environment(scenario)


def test_an_activity_holds_time() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[races], activities=[quick]):
            outcomes = await asyncio.gather(
                *(env.client.execute_workflow(races, 5.0) for _ in range(50))
            )
            assert set(outcomes) == {"7"}

    in_environment(scenario)


def test_an_activity_that_sleeps_in_the_environment_does_not_hold_time() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        @activity.defn(name="quick")
        async def slow(value: int) -> int:
            await env.sleep(1_800)
            return value

        async with Worker(env.client, workflows=[races], activities=[slow]):
            began = time.monotonic()
            assert await env.client.execute_workflow(races, 1_799.0) == "timeout"
            assert await env.client.execute_workflow(races, 1_801.0) == "7"
            assert time.monotonic() - began < 10

    in_environment(scenario)


def test_an_activity_that_hangs_times_out_in_real_time() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[calls_what_hangs], activities=[hangs]):
            with pytest.raises(WorkflowFailureError):
                await env.client.execute_workflow(calls_what_hangs)

    in_environment(scenario)


def test_backoffs_of_retries_are_skipped() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[retries], activities=[fails_often]):
            attempt, seconds = await env.client.execute_workflow(retries)
            assert attempt == 12
            assert seconds > 300

    in_environment(scenario)


def test_signals_are_sent_at_their_time() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[Waiting]):
            handle = await env.client.start_workflow(Waiting.run, 100.0)
            began = (await env.get_current_time()).timestamp()
            for _ in range(3):
                await env.sleep(timedelta(seconds=20))
                await handle.signal(Waiting.mark)
            seen = await handle.result()
            assert [round(each - began, 3) for each in seen] == [20, 40, 60]

    in_environment(scenario)


def test_without_a_wait_time_goes_on_by_itself() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[sleeps]):
            handle = await env.client.start_workflow(sleeps, 0.2)
            reader, run = StoreReader(env.client.path), UUID(handle.run_id).bytes
            await until(lambda: (reader.describe(run) or {}).get("status") == "completed")
            assert await handle.result() >= 0.2

    in_environment(scenario)


def test_time_does_not_skip_while_that_is_disabled() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[sleeps]):
            with env.auto_time_skipping_disabled():
                began = time.monotonic()
                await env.client.execute_workflow(sleeps, 0.3)
                assert time.monotonic() - began >= 0.2
            assert await env.client.execute_workflow(sleeps, 86_400.0) == 86_400.0

    in_environment(scenario)


def test_the_clock_outlives_the_worker() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[sleeps]):
            handle = await env.client.start_workflow(sleeps, 86_400.0)
            await env.sleep(3_600)
        await env.sleep(2 * 86_400)
        async with Worker(env.client, workflows=[sleeps]):
            assert await handle.result() == 2 * 86_400 + 3_600

    in_environment(scenario)


def test_sleep_jumps_no_further_than_asked() -> None:
    async def scenario(env: WorkflowEnvironment) -> None:
        async with Worker(env.client, workflows=[Waiting]):
            handle = await env.client.start_workflow(Waiting.run, 1e9)
            before = await env.get_current_time()
            await env.sleep(1)
            assert await env.get_current_time() - before == timedelta(seconds=1)
            await handle.terminate()

    in_environment(scenario)


def test_a_local_environment_takes_real_time() -> None:
    async def run() -> None:
        async with await WorkflowEnvironment.start_local() as env:
            assert not env.supports_time_skipping
            async with Worker(env.client, workflows=[sleeps]):
                began = time.monotonic()
                await env.client.execute_workflow(sleeps, 0.2)
                await env.sleep(0.05)
                assert time.monotonic() - began >= 0.25
            folder = env.client.path.parent
            assert folder.exists()
        assert not folder.exists()

    asyncio.run(run())
