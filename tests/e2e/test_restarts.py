"""What a run and its messages are worth once the worker is another one (A4, A7, A16, G5, G6)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from perdure import activity, workflow
from perdure.errors import (
    ApplicationError,
    RunClosedError,
    WorkflowFailureError,
    WorkflowParkedError,
    WorkflowUpdateFailedError,
)
from perdure.instance._loop import WorkflowLoop
from tests.e2e.conftest import Serve
from tests.e2e.waiting import until


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@activity.defn
async def double(number: int) -> int:
    return number * 2


def _till(limit: int) -> Any:
    """The deploy whose validator lets amounts up to the limit pass."""

    @workflow.defn(name="Till")
    class Till:
        def __init__(self) -> None:
            self.taken: list[int] = []

        @workflow.run
        async def run(self) -> list[int]:
            await workflow.wait_condition(lambda: sum(self.taken) >= 100)
            return self.taken

        @workflow.update
        async def take(self, amount: int) -> int:
            self.taken.append(await double(amount))
            return sum(self.taken)

        @take.validator
        def may_take(self, amount: int) -> None:
            if amount > limit:
                raise ApplicationError(f"at most {limit}")

    return Till


def test_g5_g6_an_update_counts_once_and_its_validator_does_not_judge_the_past(
    serve: Serve,
) -> None:
    async def test() -> None:
        async with serve([_till(limit=30)], [double]) as client:
            handle = await client.start_workflow("Till", id="till")
            assert await handle.execute_update("take", 30, id="one") == 60
        # What was accepted would be refused now.
        async with serve([_till(limit=20)], [double]) as client:
            handle = await client.get_workflow_handle("till")
            assert await handle.execute_update("take", 30, id="one") == 60
            assert await handle.get_update_handle("one").result() == 60
            with pytest.raises(WorkflowUpdateFailedError, match="at most 20"):
                await handle.execute_update("take", 30, id="two")
            assert await handle.execute_update("take", 20, id="two") == 100
            assert await handle.result() == [60, 40]
            assert await handle.execute_update("take", 30, id="one") == 60

    run(test)


@workflow.defn
async def gives_a_value(number: int) -> dict[str, Any]:
    return {"doubled": await double(number), "parts": [b"\x00", 2**63, None, 1.5]}


def test_a4_a_result_is_the_same_after_a_restart(serve: Serve) -> None:
    async def test() -> None:
        async with serve([gives_a_value], [double]) as client:
            handle = await client.start_workflow(gives_a_value, 4, id="value")
            before = await handle.result()
        # Nobody serves any more: a result is read from the store.
        handle = await client.get_workflow_handle("value")
        assert await handle.result() == before
        async with serve([gives_a_value], [double]) as client:
            assert await (await client.get_workflow_handle("value")).result() == before

    run(test)


@workflow.defn
async def raises_a_group(with_a_bug: bool) -> None:
    async def fails(error: BaseException) -> None:
        raise error

    async with asyncio.TaskGroup() as group:
        group.create_task(fails(ApplicationError("first", type="First")))
        group.create_task(fails(KeyError("bug") if with_a_bug else ApplicationError("second")))


def test_a7_a_group_fails_the_run_unless_a_bug_is_in_it_and_its_errors_are_seen(
    serve: Serve,
) -> None:
    async def test() -> None:
        async with serve([raises_a_group]) as client:
            with pytest.raises(WorkflowFailureError) as failed:
                await client.execute_workflow(raises_a_group, False)
            cause = failed.value.cause
            assert str(cause).endswith(": ApplicationError: first; ApplicationError: second")
            assert cause is not None
            assert str(cause.__cause__) == "first"
            with pytest.raises(WorkflowParkedError) as parked:
                await client.execute_workflow(raises_a_group, True)
            assert "KeyError: 'bug'" in parked.value.traceback
            assert "ApplicationError: first" in parked.value.traceback

    run(test)


seen: list[str] = []


@activity.defn
async def endless() -> None:
    seen.append("begun")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        seen.append("told")
        raise


@workflow.defn
async def would_clean_up() -> int:
    try:
        await endless()
    except asyncio.CancelledError:
        return await double(21)
    return 0


def test_a10_terminate_runs_no_code_tells_activities_and_takes_nothing_more(serve: Serve) -> None:
    async def test() -> None:
        seen.clear()
        async with serve([would_clean_up], [endless, double]) as client:
            handle = await client.start_workflow(would_clean_up)
            await until(lambda: seen == ["begun"])
            await handle.terminate("by hand")
            await until(lambda: seen == ["begun", "told"])
            with pytest.raises(RunClosedError):
                await handle.signal("late")
            last = (await handle.fetch_history()).splitlines()[-1]
            assert "run_terminated" in last
            assert "double" not in await handle.fetch_history()

    run(test)


@workflow.defn
class Tally:
    """Idle until it is woken; its state is nothing but what it was told."""

    def __init__(self) -> None:
        self.told: list[int] = []

    @workflow.run
    async def run(self, start: int) -> list[int]:
        await workflow.wait_condition(lambda: len(self.told) == 2)
        return [start, *self.told]

    @workflow.signal
    def tell(self, number: int) -> None:
        self.told.append(number)


def test_a15_idle_runs_leave_memory_and_come_back_with_their_state(serve: Serve) -> None:
    runs, cached = 400, 20
    # Those at work come on top, and what earlier tests have left.
    most = _live_loops() + cached + 10

    async def test() -> None:
        async with serve([Tally], max_cached_workflows=cached) as client:
            handles = await asyncio.gather(
                *(client.start_workflow(Tally.run, n) for n in range(runs))
            )
            for told in (1, 2):
                assert _live_loops() <= most
                await asyncio.gather(*(each.signal(Tally.tell, told) for each in handles))
            results = await asyncio.gather(*(each.result() for each in handles))
            assert results == [[n, 1, 2] for n in range(runs)]
            assert _live_loops() <= most

    run(test)


def test_a16_a_run_whose_class_is_gone_is_parked_by_name_and_not_failed(serve: Serve) -> None:
    async def test() -> None:
        async with serve([Tally]) as client:
            await client.start_workflow(Tally.run, 0, id="gone")
        async with serve([gives_a_value], [double]) as client:
            handle = await client.get_workflow_handle("gone")
            await handle.signal("tell", 1)
            described = await handle.describe()
            assert described.status == "parked"
            assert 'workflow type "Tally"' in (described.park_reason or "")
        async with serve([Tally]) as client:
            handle = await client.get_workflow_handle("gone")
            await handle.signal(Tally.tell, 2)
            assert await handle.result() == [0, 1, 2]

    run(test)


def _live_loops() -> int:
    return sum(isinstance(each, WorkflowLoop) for each in gc.get_objects())


@workflow.defn
class Backlog:
    """Takes many signals at once."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    @workflow.run
    async def run(self, wanted: int) -> bool:
        await workflow.wait_condition(lambda: len(self.numbers) == wanted)
        return self.numbers == list(range(wanted))

    @workflow.signal
    def add(self, number: int) -> None:
        self.numbers.append(number)


def test_f8_ten_thousand_signals_wait_for_a_worker_and_come_in_order(
    serve: Serve, store: str
) -> None:
    wanted = 10_000

    @workflow.defn(name="Other")
    async def other() -> None:
        pass

    async def test() -> None:
        async with serve([other]) as client:
            handle = await client.start_workflow("Backlog", wanted, id="backlog")
            for first in range(0, wanted, 1_000):
                await asyncio.gather(
                    *(handle.signal("add", first + n) for n in range(1_000)),
                )
            assert (await handle.describe()).status == "parked"
        async with serve([Backlog], max_cached_workflows=0) as client:
            handle = await client.get_workflow_handle("backlog")
            assert await handle.result() is True

    run(test)
