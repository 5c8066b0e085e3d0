"""Schedules: what they start, when, and what they do while a run is still open."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, workflow
from perdure.client import ScheduleHandle
from perdure.errors import ApplicationError, NotFoundError, ScheduleAlreadyRunningError
from perdure.schedule import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)
from perdure.schedule import _workflow as schedules
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
SCHEDULES = schedules.ScheduleWorkflow
"""Replayed like the workflows of this module."""
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = ScheduleSpec(["0 * * * *"], end_at=MIDNIGHT + timedelta(hours=9))
"""Hours that are over: nothing happens by itself."""


@workflow.defn
async def greet(name: str) -> str:
    return f"{name} in {workflow.info().workflow_id}"


@workflow.defn
class Gate:
    """Is open until it is told, or cancelled."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.told)

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@workflow.defn
async def fails() -> None:
    raise ApplicationError("out of paper")


def _on(workflow: Any, overlap: ScheduleOverlapPolicy) -> Schedule:
    return Schedule(ScheduleActionStartWorkflow(workflow), HOURS, SchedulePolicy(overlap))


async def _until(look: Callable[[], Awaitable[bool]]) -> None:
    # Each look is a turn of the engine: there is nothing to wait for but that.
    while not await look():
        continue


async def _counts(schedule: ScheduleHandle) -> tuple[int, int, int, int]:
    it = await schedule.describe()
    return it.action_count, it.skipped_count, it.waiting_count, len(it.running)


async def _reached(schedule: ScheduleHandle, *counts: int) -> tuple[int, ...]:
    async def look() -> bool:
        return await _counts(schedule) == counts

    await _until(look)
    return counts


async def _tell(client: Client, schedule: ScheduleHandle) -> None:
    (run,) = (await schedule.describe()).running
    gate = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    await gate.signal(Gate.tell)


def test_each_time_of_a_backfill_starts_a_run_named_after_it() -> None:
    async def scenario(client: Client) -> Any:
        action = ScheduleActionStartWorkflow(greet, "Ada", id="hello")
        schedule = await client.create_schedule("hours", Schedule(action, HOURS))
        await schedule.backfill(
            MIDNIGHT, MIDNIGHT + timedelta(hours=2), overlap=ScheduleOverlapPolicy.ALLOW_ALL
        )
        await _reached(schedule, 3, 0, 0, 0)
        started = (await schedule.describe()).recent
        results: list[Any] = []
        for run in sorted(started, key=lambda run: run.scheduled_time):
            handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            results.append(await handle.result())
        return results

    assert three_ways(scenario, THIS) == [
        "Ada in hello-2026-01-01T00:00:00Z",
        "Ada in hello-2026-01-01T01:00:00Z",
        "Ada in hello-2026-01-01T02:00:00Z",
    ]


@pytest.mark.parametrize(
    ("overlap", "then"),
    [
        (ScheduleOverlapPolicy.SKIP, [(1, 2, 0, 1), (1, 2, 0, 0)]),
        (ScheduleOverlapPolicy.BUFFER_ONE, [(1, 1, 1, 1), (2, 1, 0, 1)]),
        (ScheduleOverlapPolicy.BUFFER_ALL, [(1, 0, 2, 1), (2, 0, 1, 1)]),
    ],
)
def test_what_happens_while_a_run_is_open(
    overlap: ScheduleOverlapPolicy, then: list[tuple[int, ...]]
) -> None:
    async def scenario(client: Client) -> Any:
        schedule = await client.create_schedule("gates", _on(Gate.run, overlap))
        await schedule.backfill(MIDNIGHT, MIDNIGHT)
        await _reached(schedule, 1, 0, 0, 1)
        await schedule.backfill(MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=2))
        while_open = await _reached(schedule, *then[0])
        await _tell(client, schedule)
        return [while_open, await _reached(schedule, *then[1])]

    assert three_ways(scenario, THIS) == then


@pytest.mark.parametrize(
    ("overlap", "status"),
    [
        (ScheduleOverlapPolicy.CANCEL_OTHER, "cancelled"),
        (ScheduleOverlapPolicy.TERMINATE_OTHER, "terminated"),
    ],
)
def test_the_open_run_makes_room(overlap: ScheduleOverlapPolicy, status: str) -> None:
    async def scenario(client: Client) -> Any:
        schedule = await client.create_schedule("gates", _on(Gate.run, overlap))
        await schedule.backfill(MIDNIGHT, MIDNIGHT)
        await _reached(schedule, 1, 0, 0, 1)
        later = MIDNIGHT + timedelta(hours=1)
        await schedule.backfill(later, later)
        await _reached(schedule, 2, 0, 0, 1)
        first, second = (await schedule.describe()).recent
        statuses: list[str] = []
        for run in (first, second):
            handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
            statuses.append((await handle.describe()).status)
        return statuses

    assert three_ways(scenario, THIS) == [status, "running"]


def test_a_failed_run_pauses_a_schedule_that_wants_it() -> None:
    async def scenario(client: Client) -> Any:
        policy = SchedulePolicy(pause_on_failure=True)
        action = ScheduleActionStartWorkflow(fails)
        schedule = await client.create_schedule("prints", Schedule(action, HOURS, policy))
        await schedule.backfill(MIDNIGHT, MIDNIGHT)

        async def paused() -> bool:
            return (await schedule.describe()).schedule.state.paused

        await _until(paused)
        note = (await schedule.describe()).schedule.state.note
        await schedule.unpause()
        return note, await paused()

    assert three_ways(scenario, THIS) == ("fails-2026-01-01T00:00:00Z failed", False)


def test_it_acts_by_itself_as_often_as_it_may() -> None:
    async def scenario(client: Client) -> Any:
        every_second = ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(seconds=1))])
        limit = ScheduleState(remaining_actions=2)
        action = ScheduleActionStartWorkflow(greet, "Bob")
        schedule = await client.create_schedule("s", Schedule(action, every_second, state=limit))
        await _reached(schedule, 2, 0, 0, 0)
        it = await schedule.describe()
        first, second = (run.scheduled_time for run in it.recent)
        return second - first, it.next_action_times

    assert three_ways(scenario, THIS) == (timedelta(seconds=1), [])


def test_ids_are_unique_until_the_schedule_is_deleted() -> None:
    async def scenario(client: Client) -> Any:
        schedule = await client.create_schedule("one", _on(Gate.run, ScheduleOverlapPolicy.SKIP))
        with pytest.raises(ScheduleAlreadyRunningError):
            await client.create_schedule("one", _on("Gate", ScheduleOverlapPolicy.SKIP))
        listed = [each.id async for each in client.list_schedules()]
        await schedule.delete()
        for asked in (schedule.describe, schedule.pause, schedule.trigger, schedule.delete):
            with pytest.raises(NotFoundError, match="'one'"):
                await asked()
        return listed, [each.id async for each in client.list_schedules()]

    assert three_ways(scenario, THIS) == (["one"], [])


def test_a_schedule_outlives_its_worker(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, ...]:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with Worker(client, workflows=[Gate]):
            schedule = await client.create_schedule(
                "gates", _on(Gate.run, ScheduleOverlapPolicy.BUFFER_ALL)
            )
            await schedule.backfill(MIDNIGHT, MIDNIGHT + timedelta(hours=1))
            await _reached(schedule, 1, 0, 1, 1)
        async with Worker(client, workflows=[Gate]):
            await _tell(client, schedule)
            return await _reached(schedule, 2, 0, 0, 1)

    assert asyncio.run(asyncio.wait_for(scenario(), 60)) == (2, 0, 0, 1)


def test_a_schedule_that_has_acted_often_goes_on_with_an_empty_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_suggested(info: workflow.Info) -> bool:
        return info.get_current_history_length() >= 100

    monkeypatch.setattr(workflow.Info, "is_continue_as_new_suggested", is_suggested)

    async def scenario() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        minutes = ScheduleSpec(["* * * * *"], end_at=MIDNIGHT + timedelta(days=2))
        action = ScheduleActionStartWorkflow(greet, "Eve")
        async with Worker(client, workflows=[greet, Gate]):
            schedule = await client.create_schedule("minutes", Schedule(action, minutes))
            last = MIDNIGHT + timedelta(minutes=39)
            await schedule.backfill(MIDNIGHT, last, overlap=ScheduleOverlapPolicy.BUFFER_ALL)
            await _reached(schedule, 40, 0, 0, 0)
            # A pause wakes it, which is when it looks at the length of its history.
            await schedule.pause("enough")

            async def runs() -> list[Any]:
                found = client.list_workflows(workflow_type="perdure.schedule")
                return [(run.status, run.history_length < 50) async for run in found]

            async def continued() -> bool:
                return len(await runs()) == 2

            await _until(continued)
            described = await schedule.describe()
            assert await runs() == [("running", True), ("continued_as_new", False)]
        assert described.action_count == 40
        assert described.recent[-1].scheduled_time == last
        assert described.schedule.state.note == "enough"

    asyncio.run(asyncio.wait_for(scenario(), 120))
