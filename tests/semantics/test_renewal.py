"""Runs that go on in other runs (cases H7 to H12, C15), and when they begin and end (A9)."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from perdure import Client, RetryPolicy, WorkflowHandle, activity, workflow
from perdure.errors import ApplicationError, WorkflowContinuedAsNewError, WorkflowFailureError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


@activity.defn
async def echo(number: int) -> int:
    return number


@activity.defn
async def waits_for_its_cancel() -> str:
    await asyncio.Event().wait()
    return "never"


@workflow.defn
async def counts_down(left: int, seen: list[str]) -> list[str]:
    """Awaits an activity a run; says what the run knows of itself."""
    await echo(left)
    info = workflow.info()
    seen = [*seen, f"{left} {info.workflow_id} {info.headers.get('tenant')} {info.run_timeout}"]
    if left == 0:
        return seen
    try:
        workflow.continue_as_new(left - 1, seen)
    except Exception:
        return ["eaten"]


@workflow.defn
async def goes_on_from_a_task(how: str) -> str:
    if how == "done":
        return "done"

    async def goes_on() -> NoReturn:
        await echo(1)
        workflow.continue_as_new("done")

    if how == "gather":
        await asyncio.gather(goes_on(), asyncio.sleep(3_600))
    async with asyncio.TaskGroup() as group:
        group.create_task(goes_on())
        group.create_task(asyncio.sleep(3_600))
    return "not reached"


@workflow.defn
async def leaves_an_activity(first: bool) -> str:
    if first:
        _tasks = [asyncio.create_task(waits_for_its_cancel())]
        await echo(1)
        workflow.continue_as_new(False)
    return f"{await echo(2)}"


@workflow.defn
class Collects:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @workflow.run
    async def run(self, run: int, seen: list[str]) -> list[str]:
        self.seen = [*seen, *self.seen]
        await workflow.wait_condition(lambda: len(self.seen) >= 2 * run)
        if run < 3:
            workflow.continue_as_new(run + 1, self.seen)
        return self.seen

    @workflow.signal
    def add(self, name: str) -> None:
        self.seen.append(name)


@workflow.defn
async def is_long(left: int) -> tuple[int, bool, bool]:
    before = workflow.info().is_continue_as_new_suggested()
    for _ in range(left):
        async with asyncio.timeout(3_600):
            await asyncio.sleep(0)
        timer = asyncio.get_running_loop().call_later(3_600, print)
        timer.cancel()
    info = workflow.info()
    return info.get_current_history_length(), before, info.is_continue_as_new_suggested()


@workflow.defn
async def becomes_another(number: int) -> str:
    workflow.continue_as_new(number + 1, workflow=says, run_timeout=timedelta(hours=1))


@workflow.defn
async def says(number: int) -> str:
    return f"{number} {workflow.info().run_timeout}"


async def _runs(client: Client, workflow_id: str) -> list[tuple[str, str]]:
    """Status and type of the runs of a workflow id, the first one first."""
    runs = [
        (run.status, run.workflow_type)
        async for run in client.list_workflows(workflow_id=workflow_id)
    ]
    return runs[::-1]


async def _scenario_of(client: Client, target: Any, *arguments: Any) -> Any:
    handle: WorkflowHandle[Any] = await client.start_workflow(target, *arguments, id="w")
    return await handle.result(), await _runs(client, "w")


def test_h7_h8_a_run_goes_on_with_its_arguments_id_and_options() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(
            counts_down, 2, [], id="w", headers={"tenant": "a"}, run_timeout=timedelta(hours=1)
        )
        with pytest.raises(WorkflowContinuedAsNewError) as alone:
            await handle.result(follow_runs=False)
        following = await client.get_workflow_handle("w", run_id=alone.value.next_run_id)
        return await handle.result(), await following.result(), await _runs(client, "w")

    last = [f"{left} w a 1:00:00" for left in (2, 1, 0)]
    ended = ("continued_as_new", "counts_down")
    runs = [ended, ended, ("completed", "counts_down")]
    assert three_ways(scenario, THIS, activities=[echo]) == (last, last, runs)


@pytest.mark.parametrize("how", ["gather", "group"])
def test_h9_out_of_a_task_it_ends_the_run(how: str) -> None:
    async def scenario(client: Client) -> Any:
        return await _scenario_of(client, goes_on_from_a_task, how)

    result, runs = three_ways(scenario, THIS, activities=[echo])
    assert result == "done"
    assert [status for status, _ in runs] == ["continued_as_new", "completed"]


def test_h10_an_activity_of_the_old_run_does_not_reach_the_new_one() -> None:
    async def scenario(client: Client) -> Any:
        result = await _scenario_of(client, leaves_an_activity, True)
        handle = await client.get_workflow_handle("w")
        return result, "waits_for_its_cancel" in await handle.fetch_history()

    (result, _), known = three_ways(scenario, THIS, activities=[echo, waits_for_its_cancel])
    assert (result, known) == ("2", False)


def test_h11_signals_that_the_old_run_did_not_take_go_to_the_new_one() -> None:
    names = [f"{number}" for number in range(6)]

    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Collects.run, 1, [], id="w")
        # In one batch: the first run takes two, and what follows waits when it ends. The handle
        # is that of the first run all along.
        await asyncio.gather(*(handle.signal(Collects.add, name) for name in names))
        return sorted(await handle.result())

    assert three_ways(scenario, THIS) == names


def test_h12_a_long_history_suggests_to_continue_and_is_not_stopped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(is_long, 5_000)

    length, before, after = three_ways(scenario, THIS)
    assert (before, after) == (False, True)
    assert length >= 10_000
    assert "continue as new" in caplog.text


@activity.defn
async def gives_a_mebibyte(number: int) -> bytes:
    return bytes([number]) * (1 << 20)


@workflow.defn
async def is_large() -> list[Any]:
    """Looks after each mebibyte, arguments and results alike."""
    seen: list[Any] = []
    for number in range(6):
        value = await gives_a_mebibyte(number)
        if number < 5:
            await takes(value)
        info = workflow.info()
        seen.append((info.get_current_history_size() >> 20, info.is_continue_as_new_suggested()))
    return seen


@activity.defn
async def takes(value: bytes) -> int:
    return len(value)


def test_h12_large_values_suggest_to_continue_and_stop_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(is_large)

    seen = three_ways(scenario, THIS, activities=[gives_a_mebibyte, takes])
    assert seen == [[2, False], [4, False], [6, False], [8, False], [10, True], [11, True]]
    assert "bytes of values" in caplog.text


def test_a_run_may_go_on_as_another_workflow() -> None:
    async def scenario(client: Client) -> Any:
        return await _scenario_of(client, becomes_another, 4)

    result, runs = three_ways(scenario, THIS)
    assert result == "5 1:00:00"
    assert runs == [("continued_as_new", "becomes_another"), ("completed", "says")]


@workflow.defn
async def loses_no_failure() -> str:
    async def goes_on() -> NoReturn:
        workflow.continue_as_new()

    async def fails() -> NoReturn:
        raise TimeoutError("lost?")

    async with asyncio.TaskGroup() as group:
        group.create_task(goes_on())
        group.create_task(fails())
    return "not reached"


def test_h9_beside_a_failure_the_failure_counts() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(loses_no_failure)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        return (await handle.describe()).status

    assert three_ways(scenario, THIS) == "failed"


_SOON = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)


@workflow.defn
async def succeeds_at(attempt: int) -> tuple[int, str]:
    await echo(1)
    now = workflow.info().attempt
    if now < attempt:
        raise ApplicationError(f"attempt {now} failed")
    return now, str(workflow.last_failure())


def test_c15_a_failed_run_is_followed_by_another_attempt() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(succeeds_at, 3, id="w", retry_policy=_SOON)
        with pytest.raises(WorkflowFailureError, match="failed"):
            await handle.result(follow_runs=False)
        return await handle.result(), await _runs(client, "w")

    result, runs = three_ways(scenario, THIS, activities=[echo])
    assert tuple(result) == (3, "attempt 2 failed")
    assert [status for status, _ in runs] == ["failed", "failed", "completed"]


def test_c15_after_the_last_attempt_the_failure_is_the_result() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(succeeds_at, 9, id="w", retry_policy=_SOON)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        return str(failed.value.cause), len(await _runs(client, "w"))

    assert three_ways(scenario, THIS, activities=[echo]) == ("attempt 3 failed", 3)


@workflow.defn
async def never_ends() -> None:
    await asyncio.sleep(0.05)
    workflow.continue_as_new()


def test_a9_the_execution_timeout_is_for_all_runs_together() -> None:
    async def scenario(client: Client) -> Any:
        limit = timedelta(milliseconds=400)
        handle = await client.start_workflow(never_ends, id="w", execution_timeout=limit)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        statuses = {status for status, _ in await _runs(client, "w")}
        return statuses == {"timed_out", "continued_as_new"}

    assert three_ways(scenario, THIS)


def test_a_delayed_run_exists_and_begins_later_with_what_was_sent_meanwhile() -> None:
    async def scenario(client: Client) -> Any:
        delay = timedelta(milliseconds=300)
        handle = await client.start_workflow(Collects.run, 3, [], id="w", start_delay=delay)
        for number in range(6):
            await handle.signal(Collects.add, f"{number}")
        before = await handle.describe()
        return before.status, before.history_length, await handle.result()

    names = [f"{number}" for number in range(6)]
    assert three_ways(scenario, THIS) == ("running", 0, names)


def test_a_delayed_run_can_be_terminated() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Collects.run, 3, [], start_delay=timedelta(days=1))
        await handle.terminate()
        return (await handle.describe()).status

    assert three_ways(scenario, THIS) == "terminated"
