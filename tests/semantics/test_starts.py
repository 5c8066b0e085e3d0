"""A1 to A3: what a start does about other runs of its workflow id."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, WorkflowIDConflictPolicy, WorkflowIDReusePolicy, workflow
from perdure.client._start_options import StartOptions
from perdure.errors import ApplicationError, WorkflowAlreadyStartedError, WorkflowFailureError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
FAILED_ONLY = WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
REJECT = WorkflowIDReusePolicy.REJECT_DUPLICATE
USE = WorkflowIDConflictPolicy.USE_EXISTING
REPLACE = WorkflowIDConflictPolicy.TERMINATE_EXISTING


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.words: list[str] = []
        self.is_told = False

    @workflow.run
    async def run(self, name: str) -> list[str]:
        await workflow.wait_condition(lambda: self.is_told)
        if "fail" in self.words:
            raise ApplicationError("as asked")
        return [name, *self.words]

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)
        self.is_told = True

    @workflow.signal
    def tell(self, word: str) -> None:
        self.words.append(f"told {word}")


def test_a1_an_open_run_is_used_or_replaced_or_left_alone() -> None:
    async def scenario(client: Client) -> Any:
        first = await client.start_workflow(Order.run, "first", id="o")
        with pytest.raises(WorkflowAlreadyStartedError, match="already open") as refused:
            await client.start_workflow(Order.run, "late", id="o")
        same = await client.start_workflow(Order.run, "late", id="o", id_conflict_policy=USE)
        other = await client.start_workflow(Order.run, "other", id="o", id_conflict_policy=REPLACE)
        with pytest.raises(WorkflowFailureError) as ended:
            await first.result()
        await other.signal(Order.say, "end")
        ids = refused.value.run_id == first.run_id == same.run_id != other.run_id
        return ids, ended.value.status, await other.result(), refused.value.is_open

    expected = (True, "terminated", ["other", "end"], True)
    assert three_ways(scenario, THIS) == expected


def test_a2_closed_runs_bar_another_when_the_start_says_so() -> None:
    async def start(client: Client, policy: WorkflowIDReusePolicy) -> str:
        try:
            handle = await client.start_workflow(Order.run, "o", id="o", id_reuse_policy=policy)
        except WorkflowAlreadyStartedError as error:
            return "open" if error.is_open else "barred"
        return handle.run_id

    async def end(client: Client, run_id: str, word: str) -> None:
        handle = await client.get_workflow_handle("o", run_id=run_id)
        await handle.signal(Order.say, word)
        if word == "fail":
            with pytest.raises(WorkflowFailureError):
                await handle.result()
        else:
            await handle.result()

    async def scenario(client: Client) -> Any:
        await end(client, await start(client, REJECT), "fail")
        barred = [await start(client, REJECT)]
        await end(client, await start(client, FAILED_ONLY), "end")
        barred += [await start(client, FAILED_ONLY), await start(client, REJECT)]
        await end(client, await start(client, WorkflowIDReusePolicy.ALLOW_DUPLICATE), "end")
        return barred

    assert three_ways(scenario, THIS) == ["barred", "barred", "barred"]


def test_a3_the_same_request_gives_the_same_run_whatever_its_policies() -> None:
    async def scenario(client: Client) -> Any:
        options: dict[str, Any] = {"id": "o", "request_id": "r", "id_conflict_policy": REPLACE}
        first = await client.start_workflow(Order.run, "first", **options)
        again = await client.start_workflow(Order.run, "again", **options)
        await first.signal(Order.say, "end")
        words = await first.result()
        next_one = await client.start_workflow(
            Order.run, "next", id="o", id_reuse_policy=FAILED_ONLY, request_id="r"
        )
        return first.run_id == again.run_id == next_one.run_id, words

    assert three_ways(scenario, THIS) == (True, ["first", "end"])


def test_a_signal_goes_to_the_open_run_that_is_used() -> None:
    async def scenario(client: Client) -> Any:
        first = await client.start_workflow(Order.run, "first", id="o")
        await client.start_workflow(
            Order.run,
            "late",
            id="o",
            start_signal=Order.say,
            start_signal_args=["end"],
            id_conflict_policy=USE,
        )
        with_policy = await first.result()
        with pytest.raises(WorkflowAlreadyStartedError, match="may not be used again"):
            await client.start_workflow(
                Order.run,
                "late",
                id="o",
                start_signal=Order.say,
                start_signal_args=["end"],
                id_reuse_policy=REJECT,
            )
        return with_policy

    assert three_ways(scenario, THIS) == ["first", "end"]


def test_a_signal_that_comes_with_a_request_is_handled_once_however_often_that_is_sent() -> None:
    async def scenario(client: Client) -> Any:
        first = await client.start_workflow(Order.run, "first", id="o")

        async def send(word: str, request: str, policy: WorkflowIDConflictPolicy) -> str:
            handle = await client.start_workflow(
                Order.run,
                "late",
                id="o",
                request_id=request,
                start_signal=Order.tell,
                start_signal_args=[word],
                id_conflict_policy=policy,
            )
            return handle.run_id

        fail = WorkflowIDConflictPolicy.FAIL
        runs = [await send("a", "1", USE), await send("a", "1", USE)]
        runs += await asyncio.gather(*(send("b", "2", fail) for _ in range(3)))
        await first.signal(Order.say, "end")
        return set(runs) == {first.run_id}, await first.result()

    assert three_ways(scenario, THIS) == (True, ["first", "told a", "told b", "end"])


def test_policies_that_contradict_each_other_are_refused() -> None:
    options = StartOptions(id_reuse_policy=REJECT, id_conflict_policy=REPLACE)
    with pytest.raises(ValueError, match="contradict each other"):
        options.message()
