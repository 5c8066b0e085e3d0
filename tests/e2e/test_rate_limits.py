"""What many calls share by a key: held over runs and restarts; one refusal stops them all."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, RateLimit, WorkflowHandle, activity, workflow
from perdure.errors import RateLimitedError
from tests.e2e.conftest import Serve

SHARED = RateLimit("openai:gpt-5", limit=3, period=timedelta(milliseconds=500))
SLOW = RateLimit("slow", limit=2, period=timedelta(seconds=2))
SCARCE = RateLimit("scarce", limit=1, period=timedelta(hours=1))
GENEROUS = RateLimit("generous", limit=1_000, period=timedelta(minutes=1))
RETRY_AFTER = timedelta(milliseconds=400)

begun: list[float] = []


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    begun.clear()
    asyncio.run(asyncio.wait_for(test(), 60))


@activity.defn
async def asks() -> None:
    begun.append(time.monotonic())


@activity.defn(rate_limit=GENEROUS)
async def is_refused_at_first() -> int:
    begun.append(time.monotonic())
    if len(begun) == 1:
        raise RateLimitedError("429 Too Many Requests", retry_after=RETRY_AFTER)
    return activity.info().attempt


@workflow.defn
async def asks_once() -> None:
    await asks.options(rate_limit=SHARED)()


@workflow.defn
async def asks_slowly(times: int) -> None:
    await asyncio.gather(*(asks.options(rate_limit=SLOW)() for _ in range(times)))


@workflow.defn
async def asks_too_much() -> None:
    limits = (GENEROUS, SCARCE)
    await asyncio.gather(*(asks.options(rate_limit=limits)() for _ in range(2)))


@workflow.defn
async def asks_for_much() -> None:
    tokens = RateLimit("tokens", limit=1_000, period=timedelta(seconds=1))
    for units in (600, 400, 1):
        await asks.options(rate_limit=replace(tokens, units=units))()


@workflow.defn
async def goes_on_after_a_refusal() -> int:
    return await is_refused_at_first()


def test_a_key_is_held_over_all_runs(serve: Serve) -> None:
    async def body() -> None:
        async with serve([asks_once], [asks]) as client:
            await asyncio.gather(*(client.execute_workflow(asks_once) for _ in range(10)))
        # Three at once, and then three every half a second; on a busy machine the first one begins
        # a while after it was granted.
        assert begun[-1] - begun[0] > 1

    run(body)


def test_what_was_used_before_a_restart_counts_after_it(serve: Serve) -> None:
    async def body() -> None:
        async with serve([asks_slowly], [asks]) as client:
            await client.execute_workflow(asks_slowly, 2)
        async with serve([asks_slowly], [asks]) as client:
            await client.execute_workflow(asks_slowly, 1)
        assert begun[2] - begun[0] > 1.5

    run(body)


def test_a_call_uses_as_many_units_as_it_says(serve: Serve) -> None:
    async def body() -> None:
        async with serve([asks_for_much], [asks]) as client:
            await client.execute_workflow(asks_for_much)
        assert begun[2] - begun[0] > 0.7

    run(body)


def test_one_refusal_stops_all_calls_of_the_key_until_the_time_told(serve: Serve) -> None:
    async def body() -> None:
        async with serve(
            [goes_on_after_a_refusal], [is_refused_at_first], max_concurrent_activities=1
        ) as client:
            runs = (client.execute_workflow(goes_on_after_a_refusal) for _ in range(100))
            attempts = await asyncio.gather(*runs)
        assert sorted(attempts) == [1] * 99 + [2]
        assert begun[1] - begun[0] >= RETRY_AFTER.total_seconds()
        assert len(begun) == 101

    run(body)


async def waiting(handle: WorkflowHandle[Any]) -> str:
    while True:
        for pending in await handle.pending_activities():
            if "rate limit" in pending.progress:
                return pending.progress
        await asyncio.sleep(0)


def told_by_the_command_line(client: Client) -> Any:
    command = [sys.executable, "-m", "perdure.cli", "task-queue", "describe", "default"]
    store = ["--store", f"file:{client.path}", "-o", "json"]
    done = subprocess.run([*command, *store], capture_output=True, text=True, check=True)
    (told,) = json.loads(done.stdout)
    return told


def test_who_waits_says_for_what(serve: Serve) -> None:
    async def body() -> None:
        async with serve([asks_too_much], [asks]) as client:
            handle = await client.start_workflow(asks_too_much)
            told = await waiting(handle)
            assert told.startswith("waiting: waits for rate limit scarce until 20")
            (queue,) = [each for each in await client.task_queues() if each.name == "default"]
            assert (queue.is_served, queue.backlog, queue.depth) == (True, {3: 1}, 1)
            assert queue.waiting_for == {told.removeprefix("waiting: "): 1}
            told_outside = await asyncio.to_thread(told_by_the_command_line, client)
            assert told_outside["waiting_for"] == queue.waiting_for
            assert told_outside["backlog"] == {"3": 1}
            await handle.terminate()

    run(body)


def test_no_limit_is_made_of_nonsense() -> None:
    second = timedelta(seconds=1)
    with pytest.raises(ValueError, match="limit"):
        RateLimit("key", limit=0, period=second)
    with pytest.raises(ValueError, match="units"):
        RateLimit("key", limit=5, period=second, units=6)
    with pytest.raises(ValueError, match="period"):
        RateLimit("key", limit=5, period=timedelta(0))
    with pytest.raises(ValueError, match="key"):
        RateLimit("", limit=5, period=second)
