"""N: runs that go on from a copy of another one's history: reset and fork."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, cast

import pytest

from perdure import Client, DataConverter, Worker, WorkflowHandle, activity, workflow
from perdure.converter import AesGcmCodec
from perdure.errors import (
    ActivityError,
    ApplicationError,
    NotFoundError,
    ResetRefusedError,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
)
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
KEYS: defaultdict[str, list[str]] = defaultdict(list)
"""The idempotency keys under which steps were done, by step."""
BROKEN: set[str] = set()
"""The steps that fail."""


@activity.defn
async def step(name: str) -> str:
    KEYS[name].append(activity.info().idempotency_key)
    if name in BROKEN:
        raise ApplicationError("out of order", non_retryable=True)
    return f"{name} done"


@workflow.defn
class Order:
    """Two steps with a gate between them; keeps everything that it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.is_reserved = False

    @workflow.run
    async def run(self, gated: bool) -> list[str]:
        first = await step("reserve")
        self.is_reserved = True
        if gated:
            await workflow.wait_condition(lambda: "go" in self.told)
        second = await step("charge")
        return [first, *self.told, second]

    @workflow.signal
    def tell(self, text: str) -> None:
        self.told.append(text)

    @workflow.update
    def ask(self, text: str) -> int:
        self.told.append(f"asked {text}")
        return len(self.told)

    @workflow.update
    async def reserved(self) -> None:
        await workflow.wait_condition(lambda: self.is_reserved)


@workflow.defn
async def names(wanted: int) -> list[Any]:
    """Says who it is before and after a step, in arguments as well."""
    seen: list[Any] = []
    stream = workflow.random("held")
    for count in range(wanted):
        info = workflow.info()
        seen.append((info.workflow_id, info.run_id, str(workflow.uuid4()), stream.random()))
        await step(f"{info.workflow_id} {info.run_id} {count}")
    return seen


@workflow.defn
async def sleeper(seconds: float) -> float:
    began = workflow.now()
    await asyncio.sleep(seconds)
    await step("woken")
    return round((workflow.now() - began).total_seconds(), 1)


@workflow.defn
async def parent() -> str:
    child = await workflow.start_child_workflow(sleeper, 0.01)
    await child
    return await step("over")


@workflow.defn
async def chained(left: int) -> str:
    await step(f"link {left}")
    if left:
        workflow.continue_as_new(left - 1)
    return workflow.info().workflow_id


@pytest.fixture(autouse=True)
def _clean() -> None:
    KEYS.clear()
    BROKEN.clear()


async def outcome(handle: WorkflowHandle[Any]) -> Any:
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        return f"{error.status}: {error.__cause__!r}"


def test_a_failed_run_goes_on_from_its_last_failure() -> None:
    async def scenario(client: Client) -> Any:
        BROKEN.add("charge")
        KEYS.clear()
        handle = await client.start_workflow(Order, False, id="order")
        failed = await outcome(handle)
        BROKEN.clear()
        again = await handle.reset("last_failure", reason="the bank is back")
        assert (again.id, again.run_id != handle.run_id) == ("order", True)
        # The steps before the point are not done again; the one after has the same key.
        assert len(KEYS["reserve"]) == 1
        done = await again.result()
        assert len(KEYS["charge"]) == 2
        assert len(set(KEYS["charge"])) == 1
        status = (await handle.describe()).status
        return failed.split(":")[0], done, status, (await again.describe()).status

    expected = ("failed", ["reserve done", "charge done"], "failed", "completed")
    assert three_ways(scenario, THIS, activities=[step]) == expected


def test_an_open_run_is_terminated_and_its_handle_follows() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Order, True, id="order")
        waiting = asyncio.create_task(handle.result())
        await handle.signal("tell", "one")
        await handle.execute_update("ask", "two")
        again = await handle.reset("first")
        await again.signal("tell", "three")
        # The old handle knows where the workflow goes on.
        await handle.signal("tell", "go")
        result = await waiting
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result(follow_runs=False)
        assert ended.value.status == "terminated"
        assert again.run_id in str(ended.value.__cause__)
        return result, await again.result() == result

    said = ["reserve done", "one", "asked two", "three", "go", "charge done"]
    assert three_ways(scenario, THIS, activities=[step]) == (said, True)


def test_later_signals_are_dropped_when_asked_for() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Order, True, id="order")
        await handle.signal("tell", "one")
        again = await handle.reset("first", keep_signals=False)
        await again.signal("tell", "go")
        return await handle.result()

    expected = ["reserve done", "go", "charge done"]
    assert three_ways(scenario, THIS, activities=[step]) == expected


def test_given_results_replace_recorded_ones_and_end_outstanding_calls() -> None:
    async def scenario(client: Client) -> Any:
        BROKEN.add("charge")
        handle = await client.start_workflow(Order, False, id="order")
        await outcome(handle)
        again = await handle.reset("last_failure", results={2: "by hand", 4: "paid by hand"})
        first = await again.result()
        # A completed run as well, and its failure turned into a result.
        more = await again.reset("last", results={2: "other", 4: "again"})
        return first, await more.result()

    expected = ["by hand", "paid by hand"], ["other", "again"]
    assert three_ways(scenario, THIS, activities=[step]) == expected


def test_a_fork_leaves_the_run_alone_and_has_keys_of_its_own() -> None:
    async def scenario(client: Client) -> Any:
        KEYS.clear()
        handle = await client.start_workflow(Order, True, id="order")
        await handle.execute_update("reserved")
        await handle.signal("tell", "one")
        fork = await handle.fork("last", id="what-if", keep_signals=False)
        await fork.signal("tell", "go")
        forked = await fork.result()
        open_still = (await handle.describe()).status
        await handle.signal("tell", "go")
        result = await handle.result()
        assert len(KEYS["reserve"]) == 1
        mine, other = KEYS["charge"]
        assert mine != other
        return forked, open_still, result, fork.id

    forked = ["reserve done", "go", "charge done"]
    result = ["reserve done", "one", "go", "charge done"]
    expected = forked, "running", result, "what-if"
    assert three_ways(scenario, THIS, activities=[step]) == expected


def test_what_code_reads_of_its_run_is_replayed_as_it_was() -> None:
    """Names and random values of the copied part are in arguments that replay compares."""

    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(names, 3, id="named")
        seen = await handle.result()
        third = 5
        again = await handle.reset(third)
        reset = await again.result()
        forked = await (await again.fork(third, id="other")).result()
        assert reset[:2] == forked[:2] == seen[:2]
        # From the point on, it is the new run; a fork draws other values, a reset the same ones.
        assert reset[2] == ["named", again.run_id, *seen[2][2:]]
        assert forked[2][0] == "other"
        assert forked[2][1] not in (handle.run_id, again.run_id)
        assert forked[2][2] != seen[2][2]
        assert forked[2][3] != seen[2][3]
        return len(reset)

    assert three_ways(scenario, THIS, activities=[step]) == 3


def test_timers_keep_their_deadlines() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(sleeper, 0.3, id="sleeper")
        await outcome(handle)
        again = await handle.reset("first")
        took = await again.result()
        return took >= 0.3

    assert three_ways(scenario, THIS, activities=[step])


def test_a_run_is_not_reset_across_an_open_child() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(parent, id="parent")
        await handle.result()
        with pytest.raises(ResetRefusedError, match=r"command 2 \(a child workflow\)"):
            await handle.reset("first")
        again = await handle.reset("last")
        return await again.result()

    assert three_ways(scenario, THIS, activities=[step]) == "over done"


def test_a_fork_goes_on_under_its_own_name() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(chained, 1, id="chain")
        assert await handle.result() == "chain"
        fork = await handle.fork("first", id="beside")
        return await fork.result()

    assert three_ways(scenario, THIS, activities=[step]) == "beside"


def test_what_cannot_be_is_refused() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Order, True, id="order")
        await handle.execute_update("ask", "one")
        with pytest.raises(ResetRefusedError, match="no activity of the run has failed"):
            await handle.reset("last_failure")
        with pytest.raises(ResetRefusedError, match="choose event"):
            await handle.reset(2)
        with pytest.raises(ResetRefusedError, match="records 1 to"):
            await handle.reset(1_000)
        with pytest.raises(ValueError, match="no point"):
            await handle.reset(cast("Any", "middle"))
        with pytest.raises(ResetRefusedError, match="no activity scheduled"):
            await handle.reset("last", results={1: "x"})
        with pytest.raises(WorkflowAlreadyStartedError):
            await handle.fork("last", id="order")
        absent = WorkflowHandle[Any](client.path, "none", "01932c07a00070008000000000000001")
        with pytest.raises(NotFoundError):
            await absent.reset(3)
        await handle.signal("tell", "go")
        return await handle.result()

    expected = ["reserve done", "asked one", "go", "charge done"]
    assert three_ways(scenario, THIS, activities=[step]) == expected


def test_a_failure_that_was_caught_can_be_undone() -> None:
    async def scenario(client: Client) -> Any:
        BROKEN.add("charge")
        handle = await client.start_workflow(careful, id="careful")
        assert await handle.result() == "not charged"
        again = await handle.reset("last_failure", results={2: "charged"})
        return await again.result()

    assert three_ways(scenario, THIS, activities=[step]) == "charged"


@workflow.defn
async def careful() -> str:
    try:
        return await step("charge")
    except ActivityError:
        return "not charged"


def test_a_local_activity_that_is_outstanding_runs_again() -> None:
    async def scenario(client: Client) -> Any:
        BROKEN.add("local")
        handle = await client.start_workflow(nearby, id="nearby")
        await outcome(handle)
        BROKEN.clear()
        again = await handle.reset("last_failure")
        return await again.result()

    assert three_ways(scenario, THIS, activities=[step]) == "local done"


def test_patches_after_the_point_are_settled_anew() -> None:
    """The marker stands after the point: it is recorded again, and replays."""

    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(patched, id="patched")
        first = await handle.result()
        again = await handle.reset("first")
        second = await again.result()
        history = await again.fetch_history()
        return first == second, history.count('"record_patch"')

    assert three_ways(scenario, THIS, activities=[step]) == (True, 1)


@workflow.defn
async def nearby() -> str:
    return await workflow.execute_local_activity(step, "local")


@workflow.defn
async def patched() -> str:
    await step("before")
    return await step("new" if workflow.patched("which") else "old")


def test_a_reset_with_a_codec_leaves_nothing_plain_in_the_store(tmp_path: Path) -> None:
    secret = "the amount is in no file"
    converter = DataConverter(payload_codec=AesGcmCodec({"k": bytes(range(32))}, current="k"))

    async def scenario() -> Any:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}", data_converter=converter)
        async with Worker(client, workflows=[Order], activities=[step]):
            handle = await client.start_workflow(Order, True, id="order")
            await handle.execute_update("reserved")
            await handle.signal("tell", secret)
            again = await handle.reset("first", results={2: secret})
            await again.signal("tell", "go")
            return await handle.result()

    assert asyncio.run(scenario()) == [secret, secret, "go", "charge done"]
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("app.db*") if file.is_file())
    assert secret.encode() not in stored
