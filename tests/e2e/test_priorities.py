"""Which of the attempts that wait for a slot leaves first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure import Client, Priority, WorkflowHandle, activity, workflow
from tests.e2e.conftest import Serve

begun: list[str] = []
doors: dict[str, asyncio.Event] = {}


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def with_fresh_notes() -> None:
        begun.clear()
        doors["gate"] = asyncio.Event()
        await test()

    asyncio.run(asyncio.wait_for(with_fresh_notes(), 60))


@activity.defn
async def holds_the_slot() -> None:
    await doors["gate"].wait()


@activity.defn
async def notes(name: str) -> None:
    begun.append(name)


@workflow.defn
async def holds() -> None:
    await holds_the_slot()


@workflow.defn
async def fans_out() -> None:
    calls = [("last", Priority(priority_key=5))]
    calls += [(f"loud {n}", Priority(fairness_key="loud")) for n in range(3)]
    calls += [(f"quiet {n}", Priority(fairness_key="quiet")) for n in range(2)]
    calls += [("first", Priority(priority_key=1))]
    options = [notes.options(priority=priority)(name) for name, priority in calls]
    await asyncio.gather(*options)


@workflow.defn
async def notes_one(name: str) -> None:
    await notes(name)


@workflow.defn
async def notes_by_a_child(name: str) -> None:
    await workflow.execute_child_workflow(notes_one, name)


async def has_queued(handle: WorkflowHandle[Any], count: int) -> None:
    while len(await handle.pending_activities()) < count:  # noqa: ASYNC110
        await asyncio.sleep(0)


async def child_of(client: Client, parent: WorkflowHandle[Any]) -> WorkflowHandle[Any]:
    while True:
        async for run in client.list_workflows(workflow_id=f"{parent.run_id}.2"):
            return await client.get_workflow_handle(run.workflow_id)
        await asyncio.sleep(0)


def test_attempts_leave_by_priority_and_in_turns_by_fairness_key(serve: Serve) -> None:
    async def body() -> None:
        async with serve(
            [holds, fans_out], [holds_the_slot, notes], max_concurrent_activities=1
        ) as client:
            holding = await client.start_workflow(holds)
            await has_queued(holding, 1)
            fanning = await client.start_workflow(fans_out)
            await has_queued(fanning, 7)
            doors["gate"].set()
            await fanning.result()
        assert begun == ["first", "loud 0", "quiet 0", "loud 1", "quiet 1", "loud 2", "last"]

    run(body)


def test_activities_and_children_inherit_the_priority_of_the_start(serve: Serve) -> None:
    async def body() -> None:
        workflows = [holds, notes_one, notes_by_a_child]
        async with serve(workflows, [holds_the_slot, notes], max_concurrent_activities=1) as client:
            holding = await client.start_workflow(holds)
            await has_queued(holding, 1)
            plain = await client.start_workflow(notes_one, "plain")
            await has_queued(plain, 1)
            late = await client.start_workflow(notes_one, "late", priority=Priority(priority_key=4))
            await has_queued(late, 1)
            urgent = await client.start_workflow(
                notes_by_a_child, "child of an urgent one", priority=Priority(priority_key=1)
            )
            await has_queued(await child_of(client, urgent), 1)
            doors["gate"].set()
            await asyncio.gather(plain.result(), late.result(), urgent.result())
        assert begun == ["child of an urgent one", "plain", "late"]

    run(body)


def test_no_priority_is_made_of_nonsense() -> None:
    for key in (0, 6):
        with pytest.raises(ValueError, match="priority_key"):
            Priority(priority_key=key)
    for weight in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fairness_weight"):
            Priority(fairness_key="tenant-7", fairness_weight=weight)
