"""H: children and messages between runs (`shared` list: H1 to H6, J1, A5)."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import (
    ApplicationError,
    ChildWorkflowError,
    TerminatedError,
    WorkflowFailureError,
)
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
Policy = workflow.ParentClosePolicy


@activity.defn
async def double(number: int) -> int:
    return number * 2


@activity.defn
async def decline() -> None:
    raise ApplicationError("no funds", {"account": 7}, type="Declined", non_retryable=True)


@workflow.defn
async def doubled(number: int) -> int:
    return await double(number)


@workflow.defn
async def declined() -> None:
    await decline()


@workflow.defn
class Sleeper:
    """Stays until it is told, or cancelled; cleans up then."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    @workflow.run
    async def run(self, wanted: int) -> list[Any]:
        try:
            await workflow.wait_condition(lambda: len(self.told) >= wanted)
        except asyncio.CancelledError:
            await double(1)
            raise
        parent = workflow.info().parent
        return [*self.told, None if parent is None else parent.workflow_id]

    @workflow.signal
    def tell(self, what: int) -> None:
        self.told.append(what)


def _chain(error: BaseException | None) -> list[Any]:
    chain: list[Any] = []
    while error is not None:
        chain.append((type(error).__name__, getattr(error, "type", None)))
        error = error.__cause__
    return chain


@workflow.defn
async def parent_of_results() -> list[Any]:
    first = await workflow.execute_child_workflow(doubled, 21, id="child-of-results")
    second, third = await asyncio.gather(
        workflow.execute_child_workflow(doubled, 1),
        workflow.execute_child_workflow("doubled", 2, result_type=int),
    )
    try:
        await workflow.execute_child_workflow(declined, id="declined-child")
    except ChildWorkflowError as error:
        return [first, second, third, error.workflow_id, error.workflow_type, _chain(error)]
    return []


def test_h1_the_result_of_a_child_and_its_failure_chain_reach_the_parent() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(parent_of_results, id="parent")

    assert three_ways(scenario, THIS, activities=[double, decline]) == [
        42,
        2,
        4,
        "declined-child",
        "declined",
        [
            ["ChildWorkflowError", None],
            ["ActivityError", None],
            ["ApplicationError", "Declined"],
        ],
    ]


@workflow.defn
async def uncaught_chain() -> None:
    await workflow.execute_child_workflow(declined)


def test_a5_an_uncaught_failure_of_a_child_fails_the_parent_with_the_whole_chain() -> None:
    async def scenario(client: Client) -> Any:
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(uncaught_chain, id="parent")
        return _chain(failed.value.cause)

    assert three_ways(scenario, THIS, activities=[double, decline]) == [
        ("ChildWorkflowError", None),
        ("ActivityError", None),
        ("ApplicationError", "Declined"),
    ]


@workflow.defn
async def signalling_parent() -> list[Any]:
    child = await workflow.start_child_workflow(Sleeper.run, 10, id="sleeper")
    for number in range(10):
        await child.signal(Sleeper.tell, number)
    return await child


def test_h2_ten_signals_to_a_child_arrive_in_order() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(signalling_parent, id="parent")

    assert three_ways(scenario, THIS, activities=[double]) == [*range(10), "parent"]


@workflow.defn
async def taken() -> list[Any]:
    first = await workflow.start_child_workflow(Sleeper.run, 1, id="taken")
    try:
        await workflow.execute_child_workflow(Sleeper.run, 1, id="taken")
    except ChildWorkflowError as error:
        cause = error.cause
        assert isinstance(cause, ApplicationError)
        await first.signal("tell", 1)
        return [cause.type, await first]
    return []


def test_h3_a_child_whose_id_is_taken_is_an_error_that_the_parent_can_catch() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(taken, id="parent")

    expected = ["WorkflowAlreadyStarted", [1, "parent"]]
    assert three_ways(scenario, THIS, activities=[double]) == expected


@workflow.defn
async def cancelling(kind: str) -> list[Any]:
    child = await workflow.start_child_workflow(
        Sleeper.run,
        1,
        id="cancelled",
        cancellation_type=workflow.ChildWorkflowCancellationType(kind),
    )
    child.cancel()
    try:
        await child
    except asyncio.CancelledError:
        pass
    else:
        return ["it was not cancelled"]
    # A child that has cleaned up is closed, so that nobody can signal it any more.
    try:
        await child.signal("tell", 1)
    except ApplicationError as error:
        return [error.type]
    return ["still there"]


def test_h4_a_cancel_waits_for_the_cleanup_of_the_child() -> None:
    async def scenario(client: Client) -> Any:
        outcome = await client.execute_workflow(cancelling, "wait_completed", id="parent")
        child = await (await client.get_workflow_handle("cancelled")).describe()
        return outcome, child.status

    assert three_ways(scenario, THIS, activities=[double]) == (["WorkflowNotFound"], "cancelled")


@workflow.defn
async def cancelled_parent() -> None:
    await workflow.execute_child_workflow(Sleeper.run, 1, id="child")


def test_h4_a_cancelled_parent_cancels_the_child_that_it_awaits() -> None:
    async def scenario(client: Client) -> Any:
        parent = await client.start_workflow(cancelled_parent, id="parent")
        await _until_open(client, "child")
        await parent.cancel()
        with pytest.raises(WorkflowFailureError):
            await parent.result()
        child = await client.get_workflow_handle("child")
        return (await parent.describe()).status, (await child.describe()).status

    assert three_ways(scenario, THIS, activities=[double]) == ("cancelled", "cancelled")


@workflow.defn
async def closing(policy: str) -> str:
    child = await workflow.start_child_workflow(
        Sleeper.run, 1, id="left", parent_close_policy=Policy(policy)
    )
    return child.run_id


@workflow.defn
async def closing_at_once(policy: str) -> None:
    starting = workflow.start_child_workflow(
        Sleeper.run, 1, id="left", parent_close_policy=Policy(policy)
    )
    started = asyncio.ensure_future(starting)
    await asyncio.sleep(0)
    assert not started.done()


async def _until_open(client: Client, workflow_id: str) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while workflow_id not in [run.workflow_id async for run in client.list_workflows()]:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("policy", "status"),
    [("terminate", "terminated"), ("request_cancel", "cancelled"), ("abandon", "completed")],
)
def test_h5_parent_close_policies(policy: str, status: str) -> None:
    async def scenario(client: Client) -> Any:
        await client.execute_workflow(closing, policy, id="parent")
        child = await client.get_workflow_handle("left")
        if policy == "abandon":
            await child.signal("tell", 1)
            assert await child.result() == [1, "parent"]
        else:
            with pytest.raises(WorkflowFailureError):
                await child.result()
        return (await child.describe()).status

    assert three_ways(scenario, THIS, activities=[double]) == status


def test_h5_a_terminated_parent_takes_its_children_with_it() -> None:
    async def scenario(client: Client) -> Any:
        parent = await client.start_workflow(cancelled_parent, id="parent")
        await _until_open(client, "child")
        child = await client.get_workflow_handle("child")
        await parent.terminate(reason="wrong")
        with pytest.raises(WorkflowFailureError) as failed:
            await child.result()
        assert isinstance(failed.value.cause, TerminatedError)
        return (await child.describe()).status

    assert three_ways(scenario, THIS, activities=[double]) == "terminated"


def test_h5_an_abandoned_child_is_begun_although_its_parent_closes_at_once() -> None:
    async def scenario(client: Client) -> Any:
        await client.execute_workflow(closing_at_once, "abandon", id="parent")
        await _until_open(client, "left")
        child = await client.get_workflow_handle("left")
        await child.signal("tell", 1)
        return await child.result()

    assert three_ways(scenario, THIS, activities=[double]) == [1, "parent"]


@workflow.defn
async def stranger() -> list[Any]:
    outcomes: list[Any] = []
    for run_id in (None, "01932c07a00070008000000000000001"):
        missing = workflow.get_external_workflow_handle("missing", run_id=run_id)
        for asked in (missing.signal("tell", 1), missing.cancel()):
            try:
                await asked
            except ApplicationError as error:
                outcomes.append(error.type)
    other = workflow.get_external_workflow_handle("other")
    await other.signal(Sleeper.tell, 5)
    await other.signal("tell", 6)
    third = workflow.get_external_workflow_handle("third")
    await third.cancel(reason="no longer needed")
    return outcomes


def test_h6_a_missing_external_run_is_an_error_and_an_open_one_gets_the_message() -> None:
    async def scenario(client: Client) -> Any:
        other = await client.start_workflow(Sleeper.run, 2, id="other")
        third = await client.start_workflow(Sleeper.run, 1, id="third")
        outcomes = await client.execute_workflow(stranger, id="stranger")
        with pytest.raises(WorkflowFailureError):
            await third.result()
        return outcomes, await other.result(), (await third.describe()).status

    assert three_ways(scenario, THIS, activities=[double]) == (
        ["WorkflowNotFound"] * 4,
        [5, 6, None],
        "cancelled",
    )


@workflow.defn
class Relay:
    """Goes on in another run at 0; ends at any other number, below it with a failure."""

    def __init__(self) -> None:
        self.told: list[int] = []

    @workflow.run
    async def run(self, runs: int) -> list[Any]:
        await workflow.wait_condition(lambda: bool(self.told))
        number = self.told.pop(0)
        if number == 0:
            workflow.continue_as_new(runs + 1)
        if number < 0:
            await decline()
        parent = workflow.info().parent
        return [runs, number, None if parent is None else parent.workflow_id]

    @workflow.signal
    def tell(self, number: int) -> None:
        self.told.append(number)


@workflow.defn
async def parent_of_relays() -> list[Any]:
    outcomes: list[Any] = []
    for number in (5, -1):
        child = await workflow.start_child_workflow(Relay.run, 1, id=f"relay-{number}")
        for told in (0, 0, number):
            await child.signal(Relay.tell, told)
        try:
            outcomes.append(await child)
        except ChildWorkflowError as error:
            outcomes.append(_chain(error))
    late = await workflow.start_child_workflow(
        Relay.run,
        1,
        id="relay-late",
        cancellation_type=workflow.ChildWorkflowCancellationType("wait_completed"),
    )
    await late.signal(Relay.tell, 0)
    await double(1)
    late.cancel()
    try:
        await late
    except asyncio.CancelledError:
        outcomes.append("cancelled")
    return outcomes


def test_h7_a_child_that_goes_on_in_other_runs_reports_when_the_last_one_ends() -> None:
    async def scenario(client: Client) -> Any:
        outcomes = await client.execute_workflow(parent_of_relays, id="parent")
        statuses = [
            [run.status async for run in client.list_workflows(workflow_id=workflow_id)][::-1]
            for workflow_id in ("relay--1", "relay-late")
        ]
        return outcomes, statuses

    declined_chain = [
        ["ChildWorkflowError", None],
        ["ActivityError", None],
        ["ApplicationError", "Declined"],
    ]
    assert three_ways(scenario, THIS, activities=[double, decline]) == (
        [[3, 5, "parent"], declined_chain, "cancelled"],
        [["continued_as_new", "continued_as_new", "failed"], ["continued_as_new", "cancelled"]],
    )
