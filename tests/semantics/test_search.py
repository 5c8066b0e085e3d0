"""Search attributes and memo, as a run sets them and clients find them."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, SearchAttributeKey, Worker, workflow
from perdure.client import SyncClient
from perdure.errors import EncodeError, InvalidQueryError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
AT = datetime(2026, 1, 31, 10, 0, 0, 5, tzinfo=UTC)
AMOUNT = SearchAttributeKey.for_float("Amount")
TAGS = SearchAttributeKey.for_keyword_list("Tags")


@workflow.defn
async def audit(stage: str) -> list[Any]:
    """Sets what it is found by, before and after a turn boundary, and tells what it then sees."""
    begun = [dict(workflow.info().search_attributes), workflow.memo()]
    workflow.upsert_search_attributes({"Stage": stage, AMOUNT: 2, TAGS: ["eu", "new"]})
    workflow.upsert_memo({"note": {"by": "Ada"}, "gone": None})
    await workflow.sleep(0.01)
    workflow.upsert_search_attributes({"Stage": "done", "CustomerId": None, "Due": AT})
    seen = workflow.memo()
    seen["note"]["by"] = "nobody"
    ended = [dict(workflow.info().search_attributes), workflow.memo()]
    return [begun, ended]


@workflow.defn
async def renewed(first: bool) -> list[Any]:
    """Sets both, goes on as new, and tells what is left there."""
    if first:
        workflow.upsert_search_attributes({"Stage": "second", "CustomerId": None})
        workflow.upsert_memo({"note": "kept"})
        workflow.continue_as_new(False)
    return [dict(workflow.info().search_attributes), workflow.memo()]


@workflow.defn
async def waiting() -> None:
    """Waits for ever."""
    await asyncio.Event().wait()


@workflow.defn
class Peeking:
    """Asks in a query for what only a turn may do."""

    @workflow.run
    async def run(self) -> None:
        await asyncio.Event().wait()

    @workflow.query
    def peek(self) -> list[Any]:
        """What is seen, and then a change."""
        seen = [dict(workflow.info().search_attributes), workflow.memo()]
        workflow.upsert_memo({"a": 1})
        return seen

    @workflow.query
    def look(self) -> list[Any]:
        """What is seen."""
        return [dict(workflow.info().search_attributes), workflow.memo()]


def test_a_run_sees_what_it_was_started_with_and_what_it_has_set() -> None:
    """H7's ground: attributes and memo are equal live, with nothing cached, and replayed."""

    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(
            audit,
            "first",
            memo={"gone": 1, "kept": [1, "two"]},
            search_attributes={"CustomerId": "42", "Vip": True},
        )
        result = await handle.result()
        described = await handle.describe()
        return result, dict(described.search_attributes), dict(described.memo)

    result, attributes, memo = three_ways(scenario, THIS)
    begun, ended = result
    assert begun == [{"CustomerId": "42", "Vip": True}, {"gone": 1, "kept": [1, "two"]}]
    assert attributes == {
        "Vip": True,
        "Stage": "done",
        "Amount": 2.0,
        "Tags": ["eu", "new"],
        "Due": AT,
    }
    assert isinstance(attributes["Amount"], float)
    assert memo == {"kept": [1, "two"], "note": {"by": "Ada"}}
    assert ended[0] == attributes
    assert ended[1] == memo


def test_h7_a_run_that_goes_on_as_new_takes_them_along() -> None:
    """H7: the next run has what this one had at its end, and is found by it."""

    async def scenario(client: Client) -> Any:
        result = await client.execute_workflow(
            renewed, True, id="r", search_attributes={"CustomerId": "42", "Vip": True}
        )
        query = "Stage = 'second' AND Status != 'ContinuedAsNew'"
        return result, [run.status async for run in client.list_workflows(query)]

    result, statuses = three_ways(scenario, THIS)
    assert result == [{"Stage": "second", "Vip": True}, {"note": "kept"}]
    assert statuses == ["completed"]


def test_runs_are_found_by_what_is_known_of_them() -> None:
    """Each query of a list gives the runs that it says, in its order, and counts as many."""

    async def scenario(client: Client) -> Any:
        ids: list[list[str]] = []
        for number in range(5):
            await client.start_workflow(
                waiting,
                id=f"w-{number}",
                search_attributes={
                    "CustomerId": str(number % 2),
                    "Number": number,
                    "Due": AT + timedelta(days=number),
                    "Tags": ["all", f"t{number}"],
                },
            )
        handle = await client.get_workflow_handle("w-3")
        await handle.terminate()
        queries = [
            "WorkflowType = 'waiting' AND Status = 'Running' AND CustomerId = \"1\"",
            "Number BETWEEN 1 AND 3.5 ORDER BY WorkflowId",
            "Due > '2026-02-02' AND NOT Status = 'terminated' ORDER BY WorkflowId ASC",
            "Tags = 't2' OR Tags IN ('t0') ORDER BY WorkflowId",
            "CloseTime IS NOT NULL",
            "CustomerId = 1",
        ]
        for query in queries:
            found = [run.workflow_id async for run in client.list_workflows(query, page_size=1)]
            assert await client.count_workflows(query) == len(found)
            ids.append(found)
        narrowed = client.list_workflows("Number >= 1", status="terminated", limit=4)
        ids.append([run.workflow_id async for run in narrowed])
        return ids

    assert three_ways(scenario, THIS) == [
        ["w-1"],
        ["w-1", "w-2", "w-3"],
        ["w-2", "w-4"],
        ["w-0", "w-2"],
        ["w-3"],
        [],
        ["w-3"],
    ]


def test_a_query_sees_them_and_cannot_change_them() -> None:
    """G11 for attributes and memo: what a query does to the run is refused."""

    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(
            Peeking.run, memo={"a": 0}, search_attributes={"Vip": True}
        )
        with pytest.raises(Exception, match="query"):
            await handle.query(Peeking.peek)
        return await handle.query(Peeking.look)

    assert three_ways(scenario, THIS) == [{"Vip": True}, {"a": 0}]


def test_attributes_outlive_the_worker(tmp_path: Path) -> None:
    """A start that waits in the inbox has them; so has a run that nobody can step."""

    async def scenario() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with Worker(client, workflows=[audit]):
            await client.start_workflow(
                "unknown", search_attributes={"CustomerId": "7"}, memo={"note": "why"}
            )
        async with Worker(client, workflows=[audit]):
            (run,) = [run async for run in client.list_workflows("CustomerId = '7'")]
            assert run.status == "parked"
            assert run.memo == {"note": "why"}

    asyncio.run(scenario())


def test_wrong_queries_say_where(tmp_path: Path) -> None:
    """The error has a position, and a caret under it; also while there is no store."""
    with SyncClient.connect(f"file:{tmp_path / 'app.db'}") as client:
        assert client.count_workflows() == 0
        with pytest.raises(InvalidQueryError) as caught:
            client.count_workflows("Status = 'Sleeping'")
        assert caught.value.position == 9
        assert str(caught.value).splitlines()[-1] == "           ^"
        with pytest.raises(InvalidQueryError):
            list(client.list_workflows("CustomerId ="))


@pytest.mark.parametrize(
    "attributes",
    [
        {"": "x"},
        {"Big": 2**63},
        {"When": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"NaN": float("nan")},
        {"Long": "x" * 2_001},
        {"Other": {"a": 1}},
        {AMOUNT: "two"},
        {TAGS: "eu"},
    ],
)
def test_values_that_cannot_be_searched_for_are_refused_at_the_caller(
    attributes: dict[Any, Any], tmp_path: Path
) -> None:
    """A typed error names the attribute, before anything is sent."""

    async def scenario() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        await client.start_workflow(waiting, search_attributes=attributes)

    with pytest.raises(EncodeError):
        asyncio.run(scenario())
