"""Runs that are paused: what comes meanwhile waits, and comes in the order of the log."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import RunClosedError, WorkflowFailureError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


class Gate:
    """Holds an activity in this process until the test opens it."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.opened = asyncio.Event()


gates: list[Gate] = []


@activity.defn
async def passes_gate() -> str:
    gate = gates[-1]
    gate.begun.set()
    await gate.opened.wait()
    return "passed"


@workflow.defn
class Keeper:
    """Keeps the order of all that it sees."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        passing = asyncio.ensure_future(self.passes())
        sleeping = asyncio.ensure_future(self.sleeps())
        await workflow.wait_condition(lambda: "end" in self.seen)
        await asyncio.gather(passing, sleeping)
        return self.seen

    async def passes(self) -> None:
        self.seen.append(await passes_gate())

    async def sleeps(self) -> None:
        await workflow.sleep(timedelta(milliseconds=1))
        self.seen.append("slept")

    @workflow.signal
    def say(self, word: str) -> None:
        self.seen.append(word)

    @workflow.query
    def so_far(self) -> list[str]:
        return self.seen

    @workflow.update
    async def sleep_is_over(self) -> None:
        await workflow.wait_condition(lambda: "slept" in self.seen)

    @workflow.update
    async def ask(self, word: str) -> int:
        self.seen.append(word)
        return len(self.seen)


async def _keeper(client: Client) -> Any:
    gates.append(Gate())
    handle = await client.start_workflow(Keeper.run)
    await gates[-1].begun.wait()
    await handle.execute_update(Keeper.sleep_is_over)
    return handle


async def _meanwhile(handle: Any) -> asyncio.Task[int]:
    """A signal, an update, a result and a signal, each received before the next is sent."""
    await handle.signal(Keeper.say, "one")
    asked = asyncio.create_task(handle.execute_update(Keeper.ask, "two", id="u"))
    await asyncio.sleep(0)
    await handle.signal(Keeper.say, "three")
    gates[-1].opened.set()
    # Nothing tells of a result that waits.
    while any(  # noqa: ASYNC110
        each.progress == "running" for each in await handle.pending_activities()
    ):
        await asyncio.sleep(0)
    await handle.signal(Keeper.say, "end")
    return asked


def test_g12_law_5_what_waits_for_a_paused_run_comes_in_the_order_of_its_receipt() -> None:
    async def scenario(client: Client) -> Any:
        outcomes: list[Any] = []
        for pauses in (True, False):
            handle = await _keeper(client)
            if pauses:
                await handle.pause("audit")
            asked = await _meanwhile(handle)
            if pauses:
                about = await handle.describe()
                outcomes.append((about.status, about.pause_reason, asked.done()))
                outcomes.append(await handle.query(Keeper.so_far))
                found = [each.run_id async for each in client.list_workflows('Status = "Paused"')]
                assert found == [handle.run_id]
                await handle.unpause()
            outcomes.append((await handle.result(), await asked))
        assert outcomes[-1] == outcomes[-2], "a pause changes nothing but the time"
        return outcomes[:-1]

    came = ["slept", "one", "two", "three", "passed", "end"]
    expected = [("paused", "audit", False), ["slept"], (came, 3)]
    assert three_ways(scenario, THIS, activities=[passes_gate]) == expected


def test_a10_a_paused_run_is_terminated_and_then_refuses_a_pause() -> None:
    async def scenario(client: Client) -> Any:
        handle = await _keeper(client)
        await handle.pause()
        await handle.pause("again")
        reason = (await handle.describe()).pause_reason
        await handle.terminate("enough")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        with pytest.raises(RunClosedError):
            await handle.pause()
        with pytest.raises(RunClosedError):
            await handle.unpause()
        return reason, (await handle.describe()).pause_reason

    assert three_ways(scenario, THIS, activities=[passes_gate]) == ("again", None)
