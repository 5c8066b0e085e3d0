"""How many activities run at once, and how many begin in a second; keys that stay the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from perdure import RetryPolicy, Worker, activity, workflow
from perdure.errors import ApplicationError
from tests.e2e.conftest import Serve
from tests.e2e.waiting import until

running: dict[str, int] = {}
most: dict[str, int] = {}
begun: list[float] = []
keys: list[str] = []


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    for each in (running, most, begun, keys):
        each.clear()
    asyncio.run(asyncio.wait_for(test(), 60))


async def counted(name: str) -> None:
    running[name] = running.get(name, 0) + 1
    most[name] = max(most.get(name, 0), running[name])
    for _ in range(5):
        await asyncio.sleep(0)
    running[name] -= 1


@activity.defn(max_concurrent=2)
async def scarce() -> None:
    await counted("scarce")


@activity.defn(max_concurrent=1)
async def held() -> None:
    """Keeps its only slot until an unlimited one has run."""
    await until(lambda: "plenty" in most)
    await counted("held")


@activity.defn
async def plenty() -> None:
    await counted("plenty")


@activity.defn
async def notes_when() -> None:
    begun.append(time.monotonic())


@activity.defn(retry_policy=RetryPolicy(initial_interval=timedelta(seconds=90)))
async def notes_its_key() -> int:
    info = activity.info()
    keys.append(info.idempotency_key)
    if info.attempt < 3:
        raise ApplicationError("again", next_retry_delay=timedelta(milliseconds=1))
    return info.attempt


@workflow.defn
async def fans_out() -> None:
    await asyncio.gather(*(scarce() for _ in range(20)))


@workflow.defn
async def mixes() -> None:
    await asyncio.gather(*(held() for _ in range(5)), plenty())


@workflow.defn
async def hurries() -> None:
    await asyncio.gather(*(notes_when() for _ in range(12)))


@workflow.defn
async def keeps_its_key() -> int:
    return await notes_its_key()


def test_an_activity_runs_no_more_often_at_once_than_it_may(serve: Serve) -> None:
    async def body() -> None:
        async with serve([fans_out], [scarce]) as client:
            await client.execute_workflow(fans_out)
        assert most == {"scarce": 2}

    run(body)


def test_who_waits_for_its_own_limit_holds_up_no_other(serve: Serve) -> None:
    async def body() -> None:
        async with serve([mixes], [held, plenty], max_concurrent_activities=2) as client:
            await client.execute_workflow(mixes)
        assert most == {"held": 1, "plenty": 1}

    run(body)


def test_a_task_queue_keeps_its_rate(serve: Serve) -> None:
    async def body() -> None:
        rate = {"max_task_queue_activities_per_second": 50.0}
        async with serve([hurries], [notes_when], **rate) as client:
            await client.execute_workflow(hurries)
        # Five begin at once, and seven follow, one every 20 ms.
        assert begun[-1] - begun[0] >= 0.1

    run(body)


def test_the_key_is_the_same_over_attempts_and_next_retry_delay_beats_the_policy(
    serve: Serve,
) -> None:
    async def body() -> None:
        async with serve([keeps_its_key], [notes_its_key]) as client:
            handle = await client.start_workflow(keeps_its_key)
            # Not the 90 s of the policy, but what the errors ask for.
            assert await handle.result() == 3
        assert len(keys) == 3
        assert len(set(keys)) == 1
        assert keys[0].startswith(handle.run_id)

    run(body)


def test_no_limit_is_made_of_nonsense() -> None:
    with pytest.raises(ValueError, match="max_concurrent"):
        activity.defn(max_concurrent=0)
    with pytest.raises(ValueError, match="above zero"):
        Worker("file:app.db", max_task_queue_activities_per_second=0.0)
