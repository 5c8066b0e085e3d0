"""D: timers (cases D1, D2, D4 to D9), by time that skips. D3 is the simulation's."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, Worker, workflow
from perdure.errors import WorkflowParkedError
from perdure.testing import WorkflowEnvironment
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
TEN_YEARS_S = 3_652 * 86_400
MANY = 10_000


@workflow.defn
async def fires_in_order() -> list[float]:
    seen: list[float] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append(seconds)

    await asyncio.gather(*(sleeper(each) for each in (0.3, 0.1, 0.2, 0.1001)))
    return seen


@workflow.defn
async def yields_once() -> list[str]:
    seen: list[str] = []

    async def other(name: str) -> None:
        for turn in range(2):
            seen.append(f"{name}{turn}")
            await asyncio.sleep(0 if name == "a" else -1)

    await asyncio.gather(other("a"), other("b"))
    return seen


@workflow.defn
async def calls_in_order() -> list[str]:
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    loop.call_later(0.2, seen.append, "later 0.2")
    loop.call_at(loop.time() + 0.1, seen.append, "at 0.1")
    loop.call_later(0.15, seen.append, "never").cancel()
    loop.call_soon(seen.append, "soon")
    loop.call_soon(seen.append, "cancelled soon").cancel()
    loop.call_later(0.3, done.set)
    await done.wait()
    return seen


@workflow.defn
async def reads_the_loops_clock() -> list[bool]:
    loop = asyncio.get_running_loop()
    first = loop.time()
    sum(range(10_000))
    constant = loop.time() == first
    await asyncio.sleep(0)
    still = loop.time() == first
    await asyncio.sleep(0.1)
    return [constant, still, loop.time() >= first + 0.1]


@workflow.defn
async def waits_until() -> list[str]:
    seen: list[str] = []
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + 0.25):
            for number in range(5):
                await asyncio.sleep(0.1)
                seen.append(str(number))
    except TimeoutError:
        seen.append("timeout")
    return seen


@workflow.defn
async def many_at_once(count: int) -> int:
    await asyncio.gather(*(asyncio.sleep(60) for _ in range(count)))
    return count


@workflow.defn
async def sleeps(seconds: float) -> float:
    began = workflow.time()
    await asyncio.sleep(seconds)
    return workflow.time() - began


async def _no_timer_recorded(client: Client) -> Any:
    handle = await client.start_workflow(yields_once)
    seen = await handle.result()
    records = [json.loads(line) for line in (await handle.fetch_history()).splitlines()]
    kinds = [each["command"]["kind"] for each in records if "command" in each]
    return [seen, kinds]


def run(workflow_type: Any, *arguments: Any) -> Callable[[Client], Awaitable[Any]]:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(workflow_type, *arguments)

    return scenario


def test_d1_timers_fire_by_deadline() -> None:
    assert three_ways(run(fires_in_order), THIS) == [0.1, 0.1001, 0.2, 0.3]


def test_d2_no_sleep_is_no_timer_but_one_yield() -> None:
    seen, kinds = three_ways(_no_timer_recorded, THIS)
    assert seen == ["a0", "b0", "a1", "b1"]
    assert kinds == ["complete_run"]


def test_d7_callbacks_run_in_order_and_cancelled_ones_do_not() -> None:
    assert three_ways(run(calls_in_order), THIS) == ["soon", "at 0.1", "later 0.2"]


def test_d8_the_loops_clock_stands_still_within_an_activation() -> None:
    assert three_ways(run(reads_the_loops_clock), THIS) == [True, True, True]


def test_d9_a_timeout_at_an_instant_spans_several_sleeps() -> None:
    assert three_ways(run(waits_until), THIS) == ["0", "1", "timeout"]


def test_d4_what_is_due_while_no_engine_runs_fires_once_after_its_start() -> None:
    async def scenario() -> None:
        async with await WorkflowEnvironment.start_time_skipping() as env:
            async with Worker(env.client, workflows=[sleeps]):
                handle = await env.client.start_workflow(sleeps, 60.0)
            await env.sleep(timedelta(days=1))
            async with Worker(env.client, workflows=[sleeps]):
                # The run's time is that of the record, not that of the deadline.
                assert await handle.result() == pytest.approx(86_400, abs=1)
            text = await handle.fetch_history()
            assert text.count('"timer_fired"') == 1, text

    asyncio.run(scenario())


def test_d5_ten_thousand_timers_on_one_deadline_all_fire() -> None:
    async def scenario() -> None:
        async with (
            await WorkflowEnvironment.start_time_skipping() as env,
            Worker(env.client, workflows=[many_at_once]),
        ):
            handle = await env.client.start_workflow(many_at_once, MANY)
            assert await handle.result() == MANY
            lines = (await handle.fetch_history()).splitlines()
        fired: list[int] = []
        for line in lines:
            if line.startswith('{"batch"'):
                fired.append(0)
            elif '"timer_fired"' in line:
                fired[-1] += 1
        assert sum(fired) == MANY
        assert max(fired) <= 1_000, "a turn delivers a bounded burst"

    asyncio.run(scenario())


def test_d6_ten_years_are_slept() -> None:
    async def scenario() -> None:
        async with (
            await WorkflowEnvironment.start_time_skipping() as env,
            Worker(env.client, workflows=[sleeps]),
        ):
            slept = await env.client.execute_workflow(sleeps, float(TEN_YEARS_S))
            assert slept == TEN_YEARS_S

    asyncio.run(scenario())


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
def test_d6_what_is_no_length_of_time_is_refused(seconds: float) -> None:
    async def scenario() -> None:
        async with (
            await WorkflowEnvironment.start_time_skipping() as env,
            Worker(env.client, workflows=[sleeps]),
        ):
            with pytest.raises(WorkflowParkedError, match="ValueError"):
                await env.client.execute_workflow(sleeps, seconds)

    asyncio.run(scenario())
