"""G9 to G12: queries, on live, evicted, parked and closed runs."""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import NotFoundError, WorkflowParkedError, WorkflowQueryFailedError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


@activity.defn
async def echo(value: int) -> int:
    return value


@workflow.defn
class Ledger:
    """Adds what it is told, and tells what it has."""

    def __init__(self) -> None:
        self.entries: list[int] = []
        self.looked = 0

    @workflow.run
    async def run(self, length: int) -> list[Any]:
        drawn: list[Any] = []
        while len(self.entries) < length:
            seen = len(self.entries)
            await workflow.wait_condition(lambda seen=seen: self._grew(seen))  # type: ignore[misc]
            drawn.append(random.random())
        return [self.entries, drawn]

    def _grew(self, seen: int) -> bool:
        self.looked += 1
        return len(self.entries) > seen

    @workflow.signal
    async def add(self, number: int) -> None:
        self.entries.append(await echo(number))

    @workflow.signal
    def break_down(self) -> None:
        raise KeyError("a bug in a handler")

    @workflow.query
    def total(self, factor: int = 1) -> int:
        return sum(self.entries) * factor

    @workflow.query(name="looks")
    def how_often(self) -> int:
        return self.looked

    @workflow.query
    def draw(self) -> float:
        return random.random()

    @workflow.query
    def raises(self) -> None:
        raise ValueError("not today")

    @workflow.query
    def is_cancelled(self) -> None:
        raise asyncio.CancelledError

    @workflow.query
    def schedules(self) -> None:
        asyncio.get_running_loop().create_future()

    @workflow.query
    def asks(self) -> None:
        workflow.start_activity(echo, 1)

    @workflow.query
    def reads_a_file(self) -> str:
        with open(__file__) as file:  # noqa: PTH123 - refused whatever opens it
            return file.read()

    @workflow.query
    def moment(self) -> bool:
        return workflow.now() <= workflow.info().start_time or bool(self.entries)


@workflow.defn
async def function_with_queries() -> int:
    steps = 0

    def so_far() -> int:
        return steps

    def anything(name: str, arguments: list[Any]) -> list[Any]:
        return [name, arguments]

    workflow.set_query_handler("steps", so_far)
    workflow.set_dynamic_query_handler(anything)
    for _ in range(3):
        steps += await echo(1)
    return steps


async def _asked(handle: Any, query: Any, *arguments: Any) -> Any:
    try:
        return await handle.query(query, *arguments)
    except WorkflowQueryFailedError as error:
        return str(error)


def test_queries_see_the_state_as_it_is_running_and_closed() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Ledger.run, 2)
        answers = [await handle.query(Ledger.total)]
        await handle.signal(Ledger.add, 5)
        while True:
            if await handle.query("total"):
                break
        answers.append(await handle.query(Ledger.total, 10))
        answers.append(await handle.query("moment"))
        await handle.signal(Ledger.add, 7)
        await handle.result()
        answers.append(await handle.query(Ledger.total, args=[100]))
        return answers

    assert three_ways(scenario, THIS, activities=[echo]) == [0, 50, True, 1_200]


def test_g9_g11_a_query_changes_neither_history_nor_chance_nor_conditions() -> None:
    async def outcome(client: Client, workflow_id: str, *, asks: bool) -> Any:
        handle = await client.start_workflow(Ledger.run, 1, id=workflow_id)
        before = await handle.fetch_history()
        if asks:
            looks = await handle.query("looks")
            await handle.query(Ledger.draw)
            assert await handle.query("looks") == looks
            assert await handle.fetch_history() == before
        await handle.signal(Ledger.add, 1)
        entries, drawn = await handle.result()
        return len(entries), len(drawn), isinstance(await handle.query(Ledger.draw), float)

    async def scenario(client: Client) -> Any:
        return await outcome(client, "asked", asks=True), await outcome(client, "not", asks=False)

    assert three_ways(scenario, THIS, activities=[echo]) == ((1, 1, True), (1, 1, True))


def test_g10_a_query_that_raises_or_does_not_exist_fails_alone() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Ledger.run, 1)
        failed = [
            await _asked(handle, query, *arguments)
            for query, *arguments in (
                ("raises",), ("no such",), ("total", "text"), ("total", 1, 2), ("schedules",),
                ("asks",), ("reads_a_file",),
            )
        ]  # fmt: skip
        await handle.signal(Ledger.add, 1)
        await handle.result()
        return failed

    failed = three_ways(scenario, THIS, activities=[echo])
    assert all(each.startswith("the query failed: ") for each in failed)
    for text, said in zip(
        failed,
        ("not today", "asks, draw", "$", "too many", "only reads", "not being stepped", "file"),
        strict=True,
    ):
        assert said in text


def test_a_query_that_is_cancelled_disturbs_no_other_run() -> None:
    async def scenario(client: Client) -> Any:
        asked = await client.start_workflow(Ledger.run, 1)
        other = await client.start_workflow(Ledger.run, 1)
        failed, _ = await asyncio.gather(
            _asked(asked, Ledger.is_cancelled), other.signal(Ledger.add, 1)
        )
        entries, _ = await other.result()
        await asked.signal(Ledger.add, 2)
        await asked.result()
        return failed.startswith("the query failed"), entries

    assert three_ways(scenario, THIS, activities=[echo]) == (True, [1])


def test_g12_a_query_on_a_parked_run_names_the_reason() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Ledger.run, 1)
        await handle.signal(Ledger.break_down)
        with pytest.raises(WorkflowParkedError, match="a bug in a handler"):
            await handle.result()
        with pytest.raises(WorkflowParkedError, match="a bug in a handler"):
            await handle.query(Ledger.total)
        return (await handle.describe()).status

    assert three_ways(scenario, THIS) == "parked"


def test_handlers_can_be_set_at_run_time() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(function_with_queries)
        result = await handle.result()
        return result, await handle.query("steps"), await handle.query("other", 1, "two")

    expected = (3, 3, ["other", [1, "two"]])
    assert three_ways(scenario, THIS, activities=[echo]) == expected


def test_a_run_that_never_was_is_not_found() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Ledger.run, 0)
        await handle.result()
        missing = await client.get_workflow_handle("any", run_id="0" * 32)
        with pytest.raises(NotFoundError):
            await missing.query(Ledger.total)
        return "done"

    assert three_ways(scenario, THIS) == "done"


def test_an_async_query_is_refused_where_it_is_declared() -> None:
    async def waits() -> None:
        pass

    with pytest.raises(TypeError, match="a query only reads"):
        workflow.query(waits)
