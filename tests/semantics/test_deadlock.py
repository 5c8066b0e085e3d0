"""A14: code that holds the loop is reported with its place, and other runs go on."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import WorkflowParkedError, WorkflowQueryFailedError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
SOON = timedelta(milliseconds=300)


@activity.defn
async def plus_one(number: int) -> int:
    return number + 1


@workflow.defn
class Stubborn:
    """Does as its messages say."""

    def __init__(self) -> None:
        self.number = 0
        self.ended = False

    @workflow.run
    async def run(self) -> int:
        self.number = await plus_one(0)
        await workflow.wait_condition(lambda: self.ended)
        return self.number

    @workflow.signal
    def spin(self) -> None:
        while True:
            pass

    @workflow.signal
    def sleep(self) -> None:
        time.sleep(60)

    @workflow.signal
    def end(self) -> None:
        self.ended = True

    @workflow.query
    def spins(self) -> int:
        while True:
            pass

    @workflow.query
    def value(self) -> int:
        return self.number


async def _parked_by(client: Client, signal: Any) -> list[Any]:
    stuck = await client.start_workflow(Stubborn, id="stuck")
    other = await client.start_workflow(Stubborn, id="other")
    assert await stuck.query(Stubborn.value) in (0, 1)
    await stuck.signal(signal)
    await other.signal(Stubborn.end)
    result = await other.result()
    with pytest.raises(WorkflowParkedError) as raised:
        await stuck.result()
    text = f"{raised.value}\n{raised.value.traceback}"
    place = signal.__qualname__ if hasattr(signal, "__qualname__") else signal.fn.__qualname__
    return [result, "test_deadlock.py" in text, place.rpartition(".")[2] in text]


def test_a14_a_loop_without_await_is_parked_with_its_stack_and_other_runs_go_on() -> None:
    async def scenario(client: Client) -> Any:
        return await _parked_by(client, Stubborn.spin)

    outcome = three_ways(scenario, THIS, activities=[plus_one], deadlock_limit=SOON)
    assert outcome == [1, True, True]


def test_a14_time_sleep_is_parked_with_its_stack_and_other_runs_go_on() -> None:
    async def scenario(client: Client) -> Any:
        began = time.monotonic()
        outcome = await _parked_by(client, Stubborn.sleep)
        assert time.monotonic() - began < 30
        return outcome

    assert three_ways(scenario, THIS, activities=[plus_one]) == [1, True, True]


def test_a14_a_query_that_spins_fails_alone() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Stubborn, id="w")
        log: list[Any] = []
        for _ in range(2):
            with pytest.raises(WorkflowQueryFailedError) as raised:
                await handle.query(Stubborn.spins)
            log.append("held the loop" in str(raised.value))
        await handle.signal(Stubborn.end)
        log.append(await handle.result())
        # Of a closed run, the whole history is replayed for it.
        log.append(await handle.query(Stubborn.value))
        with pytest.raises(WorkflowQueryFailedError, match="held the loop"):
            await handle.query(Stubborn.spins)
        return log

    outcome = three_ways(scenario, THIS, activities=[plus_one], deadlock_limit=SOON)
    assert outcome == [True, True, 1, 1]
