"""B and C: activities, their retries and their timeouts, as workflow code sees them."""

from __future__ import annotations

import asyncio
import sys
import threading
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, RetryPolicy, activity, workflow
from perdure.activity import ActivityCancellationType
from perdure.errors import ActivityError, ApplicationError
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1))
LONG = timedelta(seconds=30)


@activity.defn
async def echo(value: Any) -> Any:
    return value


@activity.defn(retry_policy=QUICK)
async def succeeds_at(attempt: int) -> list[Any]:
    """Fails until then; gives what the last attempt knew."""
    info = activity.info()
    if info.attempt < attempt:
        raise ApplicationError(f"attempt {info.attempt}", type="Flaky")
    return [info.attempt, str(info.last_failure), info.idempotency_key.count(".")]


@activity.defn(retry_policy=QUICK)
async def gives_up() -> None:
    raise ApplicationError("never again", {"code": 7}, type="Final", non_retryable=True)


@activity.defn(retry_policy=QUICK)
async def raises_listed() -> None:
    raise KeyError("k")


@activity.defn(retry_policy=QUICK)
async def falls_silent() -> Any:
    """Says where it is, and no more; the next attempt goes on from there."""
    info = activity.info()
    if info.heartbeat_details is None:
        activity.heartbeat({"at": 5})
        await asyncio.sleep(3_600)
    return info.heartbeat_details


@activity.defn
def beats_until_cancelled() -> str:
    """Works in a thread, and looks whether anybody still wants it."""
    waited = threading.Event()
    while not activity.is_cancelled():
        activity.heartbeat()
        waited.wait(0.005)
    return "saw the cancel"


@activity.defn
async def gives_a_lock() -> Any:
    return asyncio.Lock()


@activity.defn
async def wants_a_number(number: int) -> int:
    return number


@workflow.defn
async def retries() -> list[Any]:
    return [
        await succeeds_at(3),
        await _caught(gives_up()),
        await _caught(succeeds_at.options(retry_policy=RetryPolicy(maximum_attempts=2))(3)),
        await _caught(
            raises_listed.options(
                retry_policy=RetryPolicy(non_retryable_error_types=["KeyError"])
            )()
        ),
    ]


async def _caught(call: Any) -> list[Any]:
    try:
        return ["gave", await call]
    except ActivityError as error:
        cause = error.cause
        named = getattr(cause, "type", None) or getattr(cause, "kind", None)
        details = list(getattr(cause, "details", ()))
        return [str(named), error.attempt, error.retry_state.value, details]


@workflow.defn
async def times_out() -> list[Any]:
    short = timedelta(milliseconds=50)
    once = RetryPolicy(maximum_attempts=1)
    beats = falls_silent.options(heartbeat_timeout=timedelta(milliseconds=200))
    log: list[Any] = [await beats()]
    log.append(await _caught(beats.options(retry_policy=once)()))
    log.append(
        await _caught(falls_silent.options(start_to_close_timeout=short, retry_policy=once)())
    )
    log.append(await _caught(falls_silent.options(schedule_to_close_timeout=short)()))
    log.append(
        await _caught(
            echo.options(task_queue="nobody's", schedule_to_start_timeout=short)("never begun")
        )
    )
    return log


@workflow.defn
async def cancels(kind: str) -> list[Any]:
    handle = workflow.start_activity(
        beats_until_cancelled, cancellation_type=ActivityCancellationType[kind]
    )
    await asyncio.sleep(0.05)
    handle.cancel()
    try:
        return ["gave", await handle]
    except asyncio.CancelledError:
        return ["cancelled"]


@workflow.defn
async def meets_bad_values() -> list[Any]:
    refused: list[str] = []
    for value in (asyncio.Lock(), {1: "a", "1": "b"}, [[{"x": object()}]], 2**64):
        try:
            await echo(value)
        except Exception as error:
            refused.append(type(error).__name__)
    return [
        refused,
        await _caught(gives_a_lock()),
        await _caught(workflow.execute_activity("wants_a_number", "seven")),
        await _caught(workflow.execute_activity("wants_a_number", 1, 2)),
    ]


@workflow.defn
async def awaits_twice() -> list[Any]:
    handle = workflow.start_activity(gives_up)
    await asyncio.sleep(0.05)
    errors: list[BaseException] = []
    for _ in range(2):
        try:
            await handle
        except ActivityError as error:
            errors.append(error)
    return [len(errors), errors[0] is errors[1]]


@workflow.defn
async def leaves_one_open() -> str:
    workflow.start_activity(beats_until_cancelled)
    return "did not wait"


def _outcome(definition: Any, *arguments: Any) -> Any:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(definition, *arguments)

    return three_ways(
        scenario,
        THIS,
        activities=[
            echo, succeeds_at, gives_up, raises_listed, falls_silent, beats_until_cancelled,
            gives_a_lock, wants_a_number,
        ],
    )  # fmt: skip


def test_c3_c4_c5_c14_retries() -> None:
    assert _outcome(retries) == [
        [3, "attempt 2", 2],
        ["Final", 1, "non_retryable", [{"code": 7}]],
        ["Flaky", 2, "maximum_attempts_reached", []],
        ["KeyError", 1, "non_retryable", []],
    ]


def test_c6_to_c11_timeouts() -> None:
    assert _outcome(times_out) == [
        {"at": 5},
        ["TimeoutKind.HEARTBEAT", 1, "maximum_attempts_reached", []],
        ["TimeoutKind.START_TO_CLOSE", 1, "maximum_attempts_reached", []],
        ["TimeoutKind.SCHEDULE_TO_CLOSE", 1, "timed_out", []],
        ["TimeoutKind.SCHEDULE_TO_START", 0, "non_retryable", []],
    ]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("TRY_CANCEL", ["cancelled"]),
        ("WAIT_CANCELLATION_COMPLETED", ["gave", "saw the cancel"]),
        ("ABANDON", ["cancelled"]),
    ],
)
def test_b3_b4_modes_of_cancelling(kind: str, expected: list[Any]) -> None:
    assert _outcome(cancels, kind) == expected


def test_b6_b7_values_that_cannot_travel() -> None:
    assert _outcome(meets_bad_values) == [
        ["EncodeError", "EncodeError", "EncodeError", "EncodeError"],
        ["UnencodableResult", 1, "non_retryable", []],
        ["InvalidArguments", 1, "non_retryable", []],
        ["InvalidArguments", 1, "non_retryable", []],
    ]


def test_b10_a_call_that_nobody_awaits_does_not_hold_the_run() -> None:
    assert _outcome(leaves_one_open) == "did not wait"


def test_b11_a_failure_awaited_twice_is_raised_twice() -> None:
    assert _outcome(awaits_twice) == [2, True]
