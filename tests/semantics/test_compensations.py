"""Sagas: what was done is undone in reverse, whatever stops the workflow."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import ActivityError, ApplicationError, WorkflowFailureError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


@activity.defn
async def step(name: str) -> str:
    if name.startswith("bad"):
        raise ApplicationError(f"no {name}", non_retryable=True)
    return name


@workflow.defn
class Saga:
    """Does steps, undoes them, and tells what it undid."""

    def __init__(self) -> None:
        self.undone: list[str] = []

    async def undo(self, name: str) -> None:
        self.undone.append(await step(name))

    @workflow.run
    async def run(self, steps: list[str]) -> list[Any]:
        try:
            async with workflow.compensations() as undo:
                for name in steps:
                    undo.add(self.undo, f"{name}-undone")
                    await step(name)
        except ActivityError as error:
            return [self.undone, str(error.cause), getattr(error, "__notes__", [])]
        return [self.undone]


@workflow.defn
class Stopped(Saga):
    """Waits inside the block until it is cancelled."""

    @workflow.run
    async def run(self, steps: list[str]) -> list[Any]:
        try:
            async with workflow.compensations() as undo:
                for name in steps:
                    undo.add(self.undo, name)
                await workflow.sleep(3_600)
        except asyncio.CancelledError:
            return self.undone
        return []


CASES: list[tuple[list[str], list[Any]]] = [
    (["a", "b"], [[]]),
    (["a", "b", "bad"], [["b-undone", "a-undone"], "no bad", 1]),
    (["a", "b", "bad-c", "d"], [["b-undone", "a-undone"], "no bad-c", 1]),
]


@pytest.mark.parametrize(("steps", "expected"), CASES)
def test_a_failing_step_undoes_those_before_it_in_reverse(
    steps: list[str], expected: list[Any]
) -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(Saga.run, steps, id="saga")

    outcome = three_ways(scenario, THIS, activities=[step])
    # The step that failed has a compensation that fails too: a note, and the others go on.
    assert [*outcome[:2], len(outcome[2])] == expected if len(outcome) > 1 else outcome == expected


def test_a_cancelled_workflow_undoes_all_of_it() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Stopped.run, ["a", "bad", "b"], id="saga")
        await handle.cancel()
        await handle.cancel()
        return await handle.result()

    assert three_ways(scenario, THIS, activities=[step]) == ["b", "a"]


@workflow.defn
async def undoes_by_hand() -> list[Any]:
    undo = workflow.compensations()
    done: list[int] = []
    undo.add(done.append, 1)
    undo.add(done.append, 2)
    await undo.compensate()
    undo.add(done.append, 3)
    undo.clear()
    undo.add(step, "bad-1")
    undo.add(step, "bad-2")
    try:
        await undo.compensate()
    except ExceptionGroup as several:
        return [*done, len(several.exceptions)]
    return done


def test_undone_by_hand_it_raises_what_failed() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(undoes_by_hand, id="saga")

    assert three_ways(scenario, THIS, activities=[step]) == [2, 1, 2]


@workflow.defn
async def fails_with_notes() -> None:
    async with workflow.compensations() as undo:
        undo.add(step, "bad-undo")
        await step("bad")


def test_an_uncaught_error_fails_the_run_after_the_compensations() -> None:
    async def scenario(client: Client) -> Any:
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(fails_with_notes, id="saga")
        return type(failed.value.cause).__name__

    assert three_ways(scenario, THIS, activities=[step]) == "ActivityError"


@pytest.mark.parametrize("wrong", ["undo_it", 3, None])
def test_what_cannot_be_called_undoes_nothing_and_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"such as add\(refund, order\)"):
        workflow.compensations().add(wrong)
