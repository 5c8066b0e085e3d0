"""Workflows over the whole engine: results, failures, timers, cancellation, parking."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, RetryPolicy, activity, workflow
from perdure.errors import (
    ActivityError,
    ApplicationError,
    NotFoundError,
    RetryState,
    RunClosedError,
    TimeoutError,
    TimeoutKind,
    WorkflowAlreadyStartedError,
    WorkflowFailureError,
    WorkflowParkedError,
)
from tests.e2e.conftest import Serve

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=3)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


def kinds(history: str) -> list[str]:
    """The kinds of the records of an exported history, in order."""
    entries = [json.loads(line) for line in history.splitlines()]
    records = [each.get("event") or each.get("command") for each in entries]
    return [record["kind"] for record in records if record is not None]


@dataclass
class Order:
    name: str
    count: int = 1
    tags: list[str] = field(default_factory=list[str])


@activity.defn
async def double(order: Order) -> Order:
    return Order(order.name, order.count * 2, [*order.tags, "doubled"])


@activity.defn
def upper(text: str) -> str:
    return f"{text.upper()} {threading.current_thread().name.split('_')[0]}"


@activity.defn(process_pool=True)
def power(base: int, exponent: int = 2) -> int:
    return int(base**exponent)


@workflow.defn
async def everything(order: Order) -> dict[str, Any]:
    doubled = await double(order)
    texts = await asyncio.gather(upper("a"), workflow.execute_activity(upper, "b"))
    powers = await asyncio.gather(power(3), power(2, exponent=5))
    handle = workflow.start_activity(double, doubled)
    before = workflow.now()
    await asyncio.sleep(0.05)
    slept = (workflow.now() - before).total_seconds()
    again = await handle
    return {
        "doubled": doubled,
        "texts": texts,
        "powers": powers,
        "again": again,
        "slept": slept >= 0.05,
    }


def test_activities_of_every_sort_give_typed_results(serve: Serve) -> None:
    async def test() -> None:
        async with serve([everything], [double, upper, power]) as client:
            result = await client.execute_workflow(everything, Order("tea"))
        assert result == {
            "doubled": {"name": "tea", "count": 2, "tags": ["doubled"]},
            "texts": ["A perdure-activity", "B perdure-activity"],
            "powers": [9, 32],
            "again": {"name": "tea", "count": 4, "tags": ["doubled", "doubled"]},
            "slept": True,
        }

    run(test)


class CardDeclined(ApplicationError):
    limit: int


attempts: list[int] = []


@activity.defn(errors=[CardDeclined], retry_policy=QUICK)
async def flaky(kind: str) -> int:
    info = activity.info()
    attempts.append(info.attempt)
    if kind == "twice" and info.attempt < 3:
        raise ValueError(f"attempt {info.attempt}")
    if kind == "declined":
        raise CardDeclined("no", {"limit": 7}, non_retryable=True)
    if kind == "always":
        raise ValueError("never works")
    return info.attempt


@workflow.defn
async def call_flaky(kind: str) -> str:
    try:
        return f"attempt {await flaky(kind)}"
    except CardDeclined as error:
        return f"declined over {error.limit}"
    except ActivityError as error:
        cause = error.cause
        kind = cause.type if isinstance(cause, ApplicationError) else repr(cause)
        return f"{error.retry_state.value} after {error.attempt}: {kind}"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("twice", "attempt 3"),
        ("declined", "declined over 7"),
        ("always", f"{RetryState.MAXIMUM_ATTEMPTS_REACHED.value} after 3: ValueError"),
    ],
)
def test_retries_and_declared_errors(serve: Serve, kind: str, expected: str) -> None:
    async def test() -> None:
        async with serve([call_flaky], [flaky]) as client:
            assert await client.execute_workflow(call_flaky, kind) == expected

    run(test)


@workflow.defn
async def fails() -> None:
    raise ApplicationError("no way", {"a": 1}, type="NoWay") from ValueError("inner")


def test_a5_an_application_error_fails_the_run_with_its_whole_chain(serve: Serve) -> None:
    async def test() -> None:
        async with serve([fails]) as client:
            handle = await client.start_workflow(fails)
            for _ in range(2):
                with pytest.raises(WorkflowFailureError) as caught:
                    await handle.result()
                cause = caught.value.cause
                assert isinstance(cause, ApplicationError)
                assert (cause.type, cause.message, list(cause.details)) == (
                    "NoWay",
                    "no way",
                    [{"a": 1}],
                )
                assert isinstance(cause.cause, ApplicationError)
                assert cause.cause.type == "ValueError"
            assert (await handle.describe()).status == "failed"

    run(test)


@workflow.defn
async def buggy() -> int:
    return [1, 2, 3][await double_int(5)]


@activity.defn
async def double_int(number: int) -> int:
    return number * 2


def test_a6_a_bug_parks_the_run_and_corrected_code_resumes_it(serve: Serve) -> None:
    async def corrected() -> int:
        return [1, 2, 3][await double_int(5) - 8]

    async def test() -> None:
        async with serve([buggy], [double_int]) as client:
            handle = await client.start_workflow(buggy, id="b")
            with pytest.raises(WorkflowParkedError) as caught:
                await handle.result()
            assert "IndexError" in caught.value.reason
            assert "return [1, 2, 3]" in caught.value.traceback
            described = await handle.describe()
            assert described.status == "parked"
            assert "IndexError" in (described.park_reason or "")
        fixed = workflow.defn(name="buggy")(corrected)
        async with serve([fixed], [double_int]) as client:
            handle = await client.get_workflow_handle("b")
            assert await handle.result() == 3

    run(test)


@workflow.defn
async def waits() -> str:
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        return f"cleaned up: {await double_int(4)}"
    return "never"


def test_cancel_lets_the_workflow_clean_up_with_further_activities(serve: Serve) -> None:
    async def test() -> None:
        async with serve([waits], [double_int]) as client:
            handle = await client.start_workflow(waits)
            await handle.cancel("enough")
            assert await handle.result() == "cleaned up: 8"
            with pytest.raises(RunClosedError):
                await handle.cancel()

    run(test)


@workflow.defn
async def sleeps_for_years() -> None:
    await asyncio.sleep(1_000 * 365 * 86_400)


def test_terminate_runs_no_code_and_frees_the_id(serve: Serve) -> None:
    async def test() -> None:
        async with serve([sleeps_for_years]) as client:
            handle = await client.start_workflow(sleeps_for_years, id="one")
            with pytest.raises(WorkflowAlreadyStartedError) as caught:
                await client.start_workflow(sleeps_for_years, id="one")
            assert caught.value.run_id == handle.run_id
            await handle.terminate("by hand")
            with pytest.raises(WorkflowFailureError, match="terminated"):
                await handle.result()
            second = await client.start_workflow(sleeps_for_years, id="one")
            assert second.run_id != handle.run_id
            statuses = [each.status async for each in client.list_workflows(workflow_id="one")]
            assert statuses == ["running", "terminated"]
            with pytest.raises(NotFoundError):
                await client.get_workflow_handle("nobody")

    run(test)


cancelled_activities: list[str] = []


@activity.defn(heartbeat_timeout=timedelta(seconds=10))
async def endless(name: str) -> None:
    activity.heartbeat(name)
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        cancelled_activities.append(name)
        raise


@workflow.defn
async def times_out() -> str:
    try:
        async with asyncio.timeout(0.1):
            await endless("timed")
    except asyncio.TimeoutError:
        return "timeout"
    return "never"


def test_a_timeout_cancels_the_activity_it_surrounds(serve: Serve) -> None:
    async def test() -> None:
        cancelled_activities.clear()
        async with serve([times_out], [endless]) as client:
            handle = await client.start_workflow(times_out)
            assert await handle.result() == "timeout"
            history = await handle.fetch_history()
        assert cancelled_activities == ["timed"]
        assert kinds(history) == [
            "run_started",
            "start_timer",
            "schedule_activity",
            "timer_fired",
            "cancel_activity",
            "complete_run",
        ]

    run(test)


@activity.defn(
    start_to_close_timeout=timedelta(milliseconds=50), retry_policy=RetryPolicy(maximum_attempts=1)
)
async def too_slow() -> None:
    await asyncio.get_running_loop().create_future()


@workflow.defn
async def calls_too_slow() -> str:
    try:
        await too_slow()
    except ActivityError as error:
        cause = error.cause
        return cause.kind.value if isinstance(cause, TimeoutError) else repr(cause)
    return "never"


def test_start_to_close_ends_an_attempt(serve: Serve) -> None:
    async def test() -> None:
        async with serve([calls_too_slow], [too_slow]) as client:
            result = await client.execute_workflow(calls_too_slow)
        assert result == TimeoutKind.START_TO_CLOSE.value

    run(test)


@activity.defn(retry_policy=QUICK)
async def resumes() -> list[Any]:
    info = activity.info()
    if info.attempt == 1:
        for number in range(10):
            activity.heartbeat({"done": number})
        raise ValueError("half way")
    return [info.attempt, info.heartbeat_details, str(info.last_failure)]


@workflow.defn
async def calls_resumes() -> list[Any]:
    return await resumes()


def test_c11_the_last_details_before_a_failure_reach_the_next_attempt(serve: Serve) -> None:
    async def test() -> None:
        async with serve([calls_resumes], [resumes]) as client:
            result = await client.execute_workflow(calls_resumes)
        assert result == [2, {"done": 9}, "half way"]

    run(test)


@workflow.defn
class Counter:
    def __init__(self) -> None:
        self.count = 0

    async def work(self, amount: int) -> None:
        doubled = await double_int(amount)
        self.count += doubled

    @workflow.run
    async def run(self, amounts: list[int]) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            for amount in amounts:
                group.create_task(self.work(amount))
            await workflow.wait_condition(lambda: self.count >= 2)
        seen: list[Any] = [self.count, str(workflow.uuid4()), workflow.random("x").random()]
        seen.append(workflow.info().workflow_type)
        return seen


def test_a_class_with_state_and_conditions(serve: Serve) -> None:
    async def test() -> None:
        async with serve([Counter], [double_int]) as client:
            count, drawn, number, name = await client.execute_workflow(Counter.run, [1, 2, 3])
        assert (count, name) == (12, "Counter")
        assert drawn[14] == "4"
        assert 0 <= number < 1

    run(test)


@workflow.defn
async def unencodable() -> object:
    return object()


def test_a8_a_result_that_cannot_travel_parks_the_run_with_its_path(serve: Serve) -> None:
    async def test() -> None:
        async with serve([unencodable]) as client:
            with pytest.raises(WorkflowParkedError, match=r"EncodeError: \$: a object"):
                await client.execute_workflow(unencodable)

    run(test)


def test_a13_an_unknown_type_parks_and_runs_after_a_deploy(serve: Serve) -> None:
    async def test() -> None:
        async with serve([waits]) as client:
            handle = await client.start_workflow("call_flaky", "once", id="later")
            assert (await handle.describe()).status == "parked"
        async with serve([call_flaky], [flaky]) as client:
            handle = await client.get_workflow_handle("later")
            assert await handle.result() == "attempt 1"

    run(test)


Verb = Callable[[], Awaitable[Any]]


async def _opens_a_file() -> str:
    return Path("/etc/hostname").read_text()


opens_a_file = workflow.defn(name="opens_a_file")(_opens_a_file)


def test_io_from_workflow_code_is_refused_at_its_line(serve: Serve) -> None:
    async def test() -> None:
        async with serve([opens_a_file]) as client:
            with pytest.raises(WorkflowParkedError) as caught:
                await client.execute_workflow(opens_a_file)
        assert "test_workflows.py" in caught.value.reason
        assert "_opens_a_file" in caught.value.reason

    run(test)


def test_client_errors_name_what_is_wrong(store: str) -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="only file: addresses"):
            await Client.connect("http://x")
        client = await Client.connect(store)
        with pytest.raises(TypeError, match=r"decorate it with @workflow\.defn"):
            await client.start_workflow(test)
        assert [each async for each in client.list_workflows()] == []

    run(test)
