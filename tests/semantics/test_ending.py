"""How a run's own code ends it (cases E23, A8)."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import WorkflowParkedError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


@activity.defn
async def echo(number: int) -> int:
    return number


async def _asks_later(yields: int) -> None:
    for _ in range(yields):
        await asyncio.sleep(0)
    await echo(yields)


@workflow.defn
async def leaves_tasks(yields: int) -> str:
    """Ends while other tasks still have something to ask for."""
    _tasks = [asyncio.create_task(_asks_later(each)) for each in range(2, 2 + yields)]
    await asyncio.sleep(0)
    return "done"


@workflow.defn
async def returns_a_lock() -> Any:
    return asyncio.Lock()


def test_e23_no_command_is_recorded_after_the_close() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(leaves_tasks, 5)
        result = await handle.result()
        last = (await handle.fetch_history()).splitlines()[-1]
        return result, "complete_run" in last

    assert three_ways(scenario, THIS, activities=[echo]) == ("done", True)


def test_a8_a_result_that_cannot_travel_parks_the_run_with_a_clear_reason() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(returns_a_lock)
        with pytest.raises(WorkflowParkedError, match="Lock"):
            await handle.result()
        return (await handle.describe()).status

    assert three_ways(scenario, THIS) == "parked"
