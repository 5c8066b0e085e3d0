"""B and C: local activities and steps, as workflow code sees them."""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, RateLimit, RetryPolicy, Worker, activity, workflow
from perdure.errors import ActivityError, ApplicationError
from perdure.testing import mock_activity
from tests.e2e.waiting import until
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1))


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@activity.defn
def in_a_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@activity.defn(retry_policy=QUICK)
async def succeeds_at(attempt: int) -> list[Any]:
    """Fails until then; gives what the last attempt knew."""
    info = activity.info()
    if info.attempt < attempt:
        raise ApplicationError(f"attempt {info.attempt}", type="Flaky")
    return [info.attempt, str(info.last_failure), info.is_local]


def plain(left: str, right: str = "!") -> str:
    return left + right


async def _caught(call: Any) -> list[Any]:
    try:
        return ["gave", await call]
    except ActivityError as error:
        named = getattr(error.cause, "type", None) or getattr(error.cause, "kind", None)
        return [str(named), error.activity, error.attempt, error.retry_state.value]


@workflow.defn
async def local_calls() -> list[Any]:
    log: list[Any] = [await workflow.execute_local_activity(double, 21)]
    for _ in range(20):
        log[0] = await workflow.execute_local_activity(double, log[0])
    log.append(await workflow.execute_local_activity(in_a_thread))
    log.append(await workflow.execute_local_activity(plain, args=["a", "b"]))
    first = workflow.start_local_activity(double, 1)
    second = workflow.start_local_activity(double, 2)
    log.append(await asyncio.gather(second, first))
    # B11: awaited twice, it gives the same twice.
    log.append([await first, await first])
    return log


@workflow.defn
async def local_failures() -> list[Any]:
    once = RetryPolicy(maximum_attempts=1)
    short = timedelta(milliseconds=20)
    recorded = timedelta(0)
    local = workflow.execute_local_activity
    return [
        await local(succeeds_at, 4),
        await local(succeeds_at, 3, local_retry_threshold=recorded),
        await _caught(local(succeeds_at, 2, retry_policy=once)),
        await _caught(local(asyncio.sleep, 60, start_to_close_timeout=short, retry_policy=once)),
        await _caught(local(wants_two, 1)),
    ]


async def wants_two(left: int, right: int) -> int:
    return left + right


@workflow.defn
async def steps(name: str) -> list[Any]:
    greeting = "hello"
    log: list[Any] = [
        await workflow.step(lambda: f"{greeting} {name}"),
        await workflow.step(lambda: double.fn(4), name="a coroutine"),
        await workflow.step(plain, "x"),
        await workflow.step(functools.partial(plain, "y"), "z", name="partial"),
        await workflow.step(double, 3),
    ]
    log.append(await _caught(workflow.step(_fails, retry_policy=RetryPolicy(maximum_attempts=2))))
    await asyncio.sleep(0.001)
    log.append(await workflow.step(lambda: len(log)))
    return log


async def _fails() -> None:
    raise ApplicationError("no", type="Final", non_retryable=activity.info().attempt > 5)


@workflow.defn
async def cancels_a_step() -> list[Any]:
    slow = workflow.start_local_activity(asyncio.sleep, 60)
    log: list[Any] = []
    await workflow.sleep(0.05)
    slow.cancel()
    try:
        await slow
    except asyncio.CancelledError:
        log.append("cancelled")
    try:
        async with asyncio.timeout(0.05):
            await workflow.step(asyncio.sleep, 60)
    except TimeoutError:
        log.append("timed out")
    return log


@workflow.defn
class Waits:
    """A message comes while a turn is open."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    @workflow.run
    async def run(self) -> list[Any]:
        number = 0
        while len(self.log) < 3:
            number = await workflow.execute_local_activity(plus_one, number)
        return self.log

    @workflow.signal
    async def note(self, value: str) -> None:
        self.log.append(await workflow.execute_local_activity(plain, value))

    @workflow.query
    def noted(self) -> int:
        return len(self.log)


async def plus_one(number: int) -> int:
    await asyncio.sleep(0)
    return number + 1


@workflow.defn
async def leaves_one_open() -> str:
    """B10: nobody awaits the handle, and the workflow returns."""
    workflow.start_local_activity(asyncio.sleep, 60)
    return "returned"


def _execute(workflow_: Any, *arguments: Any) -> Any:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(workflow_, *arguments, id="w")

    return three_ways(scenario, THIS, activities=[double, in_a_thread, succeeds_at])


def test_local_activities_give_what_activities_give() -> None:
    assert _execute(local_calls) == [42 * 2**20, False, "ab", [4, 2], [2, 2]]


def test_b9_c1_short_retries_and_long_ones_end_alike() -> None:
    assert _execute(local_failures) == [
        [4, "attempt 3", True],
        [3, "attempt 2", True],
        ["Flaky", "succeeds_at", 1, "maximum_attempts_reached"],
        ["TimeoutKind.START_TO_CLOSE", "sleep", 1, "maximum_attempts_reached"],
        ["InvalidArguments", "wants_two", 1, "non_retryable"],
    ]


def test_b9_a_step_is_any_function() -> None:
    assert _execute(steps, "world") == [
        "hello world",
        8,
        "x!",
        "yz",
        6,
        ["Final", "_fails", 2, "maximum_attempts_reached"],
        6,
    ]


def test_b3_a_step_is_cancelled_with_its_call() -> None:
    assert _execute(cancels_a_step) == ["cancelled", "timed out"]


taken, opened = threading.Event(), threading.Event()


@activity.defn
def waits_for_a_step() -> bool:
    taken.set()
    return opened.wait(20)


async def has_no_thread_left() -> None:
    await until(taken.is_set)


@workflow.defn
async def step_beside_a_full_worker() -> list[Any]:
    waiting = workflow.start_activity(waits_for_a_step)
    await workflow.step(has_no_thread_left)
    await workflow.step(opened.set)
    await workflow.execute_local_activity(plain, "a")
    return [await waiting]


def test_a_step_in_a_thread_waits_behind_no_activity(tmp_path: Path) -> None:
    async def main() -> Any:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with Worker(
            client,
            workflows=[step_beside_a_full_worker],
            activities=[waits_for_a_step],
            max_concurrent_activities=1,
        ):
            return await client.execute_workflow(step_beside_a_full_worker)

    taken.clear()
    opened.clear()
    assert asyncio.run(asyncio.wait_for(main(), 40)) == [True]


def test_b10_a_local_activity_that_nobody_awaits_ends_with_its_run() -> None:
    assert _execute(leaves_one_open) == "returned"


def test_messages_and_queries_do_not_wait_for_a_chain_of_local_activities() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Waits, id="w")
        for number, value in enumerate("abc"):
            assert await handle.query(Waits.noted) <= number
            await handle.signal(Waits.note, value)
        return await handle.result()

    assert three_ways(scenario, THIS) == ["a!", "b!", "c!"]


def test_a_mock_stands_in_for_a_local_activity() -> None:
    mock = mock_activity(double, side_effect=lambda number: number)

    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(local_calls, id="w")

    result = three_ways(scenario, THIS, activities=[mock, in_a_thread])
    assert (result[0], len(mock.calls)) == (21, 2 * 23)


def test_what_cannot_be_a_step_is_refused_at_the_call() -> None:
    assert _execute(refused) == ["TypeError"] * 3 + ["ValueError"] + ["TypeError"] * 3


@workflow.defn
async def refused() -> list[str]:
    def generates() -> Any:
        yield 1

    elsewhere: Any = activity.service("other").activity(plus_one)
    calls: list[Any] = [
        lambda: workflow.step(generates),
        lambda: workflow.step(plain("a")),  # type: ignore[call-overload]
        lambda: workflow.execute_local_activity(elsewhere, 1),
        lambda: workflow.step(plain, "a", local_retry_threshold=timedelta(seconds=-1)),
        *(functools.partial(_with_option, *each) for each in OF_OTHERS),
    ]
    return [_refusal(call) for call in calls]


OF_OTHERS = [
    ("rate_limit", RateLimit("api", 1, timedelta(1))),
    ("task_queue", "other"),
    ("whatever", 1),
]


def _with_option(name: str, value: Any) -> Any:
    option: Any = {name: value}
    with pytest.raises(TypeError, match=f"{name} is no option"):
        _ = workflow.step(plain, "a", **option)
    return workflow.execute_local_activity(double, 1, **option)


def _refusal(call: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    return type(raised.value).__name__
