"""Bad input to the whole engine: each case has a typed answer, and other runs go on undisturbed."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, RetryPolicy, WorkflowHandle, activity, workflow
from perdure.errors import (
    ActivityError,
    ApplicationError,
    EncodeError,
    WorkflowParkedError,
)
from tests.e2e.conftest import Serve

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=3)
MEBIBYTE = 1024 * 1024


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


async def described(client: Client, workflow_id: str, status: str) -> str:
    """Waits until the run has this status; the reason when it is parked."""
    while True:
        async for each in client.list_workflows(workflow_id=workflow_id):
            if each.status == status:
                return each.park_reason or ""
        await asyncio.sleep(0.005)


async def recorded_event(handle: WorkflowHandle[Any], kind: str) -> None:
    """Waits until the run's history has a record of this kind."""
    while True:
        if f'"{kind}"' in await handle.fetch_history():
            return
        await asyncio.sleep(0.005)


seen_arguments: list[Any] = []


@activity.defn(retry_policy=QUICK)
async def echo(value: Any) -> Any:
    return value


@activity.defn(retry_policy=QUICK)
async def add_one(number: int) -> int:
    seen_arguments.append(number)
    return number + 1


@workflow.defn
async def calls_echo(value: Any) -> Any:
    return await echo(value)


@workflow.defn
async def healthy(number: int) -> int:
    return await add_one(number)


@pytest.mark.parametrize("size_bytes", [0, MEBIBYTE, 64 * MEBIBYTE])
def test_payloads_of_any_size_travel_through_an_activity_and_back(
    serve: Serve, size_bytes: int
) -> None:
    async def test() -> None:
        payload = bytes(range(256)) * (size_bytes // 256)
        async with serve([calls_echo], [echo]) as client:
            assert await client.execute_workflow(calls_echo, payload) == payload
            text = payload[:MEBIBYTE].decode("latin-1")
            assert await client.execute_workflow(calls_echo, text) == text

    run(test)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


class Stranger:
    """No type that another language could know."""


UNENCODABLE = [
    pytest.param(lambda: nested(1_000), r"^\$(\.args)?\[0\](\[0\])+.*deep", id="deep"),
    pytest.param(lambda: {"a": [1, "\ud800"]}, r"^\$\[0\]\.a\[1\]: ", id="surrogate"),
    pytest.param(lambda: {"a": {"b": Stranger()}}, r"^\$\[0\]\.a\.b: .*Stranger", id="object"),
    pytest.param(lambda: [1 << 64], r"^\$\[0\]\[0\]: ", id="integer"),
    pytest.param(lambda: {1: "a"}, r"^\$\[0\]", id="key"),
]


@pytest.mark.parametrize(("make", "path"), UNENCODABLE)
def test_what_cannot_travel_is_refused_at_the_caller_with_its_path(
    serve: Serve, make: Callable[[], Any], path: str
) -> None:
    async def test() -> None:
        async with serve([calls_echo, healthy], [echo, add_one]) as client:
            with pytest.raises(EncodeError, match=path):
                await client.start_workflow(calls_echo, make())
            assert [each async for each in client.list_workflows()] == []
            assert await client.execute_workflow(healthy, 1) == 2

    run(test)


@workflow.defn
async def catches_what_cannot_travel(kind: str) -> list[str]:
    values = {"deep": nested(1_000), "surrogate": {"a": "\ud800"}, "object": Stranger()}
    try:
        await echo(values[kind])
    except EncodeError as error:
        return [type(error).__name__, error.path[:5]]
    return []


@pytest.mark.parametrize("kind", ["deep", "surrogate", "object"])
def test_an_argument_that_cannot_travel_is_raised_in_the_workflow(serve: Serve, kind: str) -> None:
    async def test() -> None:
        async with serve([catches_what_cannot_travel], [echo]) as client:
            name, path = await client.execute_workflow(catches_what_cannot_travel, kind)
            assert name == "EncodeError"
            assert path.startswith("$[0]")

    run(test)


def test_nan_and_infinities_travel_unchanged(serve: Serve) -> None:
    async def test() -> None:
        async with serve([calls_echo], [echo]) as client:
            values = await client.execute_workflow(calls_echo, [math.nan, math.inf, -math.inf])
            assert math.isnan(values[0])
            assert values[1:] == [math.inf, -math.inf]

    run(test)


@activity.defn(retry_policy=QUICK)
async def gives_a_stranger() -> Any:
    return Stranger()


@workflow.defn
async def asks_for_a_stranger() -> list[Any]:
    try:
        await gives_a_stranger()
    except ActivityError as error:
        return _of(error)
    return []


@workflow.defn
async def sends_the_wrong_type(value: Any) -> list[Any]:
    try:
        await workflow.execute_activity("add_one", value)
    except ActivityError as error:
        return _of(error)
    return []


def _of(error: ActivityError) -> list[Any]:
    cause = error.cause
    kind = cause.type if isinstance(cause, ApplicationError) else repr(cause)
    return [kind, error.attempt, str(cause)]


def test_a_result_that_cannot_travel_fails_the_activity_at_once(serve: Serve) -> None:
    async def test() -> None:
        async with serve([asks_for_a_stranger], [gives_a_stranger]) as client:
            kind, attempt, text = await client.execute_workflow(asks_for_a_stranger)
            assert (kind, attempt) == ("UnencodableResult", 1)
            assert "Stranger" in text

    run(test)


@pytest.mark.parametrize("value", ["seven", None, [1], {"number": 1}, 1.5, b"1"])
def test_an_argument_of_another_type_fails_the_activity_in_one_attempt(
    serve: Serve, value: Any
) -> None:
    async def test() -> None:
        seen_arguments.clear()
        async with serve([sends_the_wrong_type], [add_one]) as client:
            kind, attempt, text = await client.execute_workflow(sends_the_wrong_type, value)
        assert (kind, attempt) == ("InvalidArguments", 1)
        assert "add_one" in text
        assert "int" in text
        assert seen_arguments == []

    run(test)


def test_an_unknown_workflow_parks_alone(serve: Serve) -> None:
    async def test() -> None:
        async with serve([healthy], [add_one]) as client:
            handle = await client.start_workflow("nobody_has_it", id="unknown")
            assert "nobody_has_it" in await described(client, "unknown", "parked")
            with pytest.raises(WorkflowParkedError, match="nobody_has_it") as caught:
                await handle.result()
            assert "register it with a worker" in caught.value.reason
            assert await client.execute_workflow(healthy, 1) == 2

    run(test)


@workflow.defn
async def calls_a_later_activity() -> int:
    result: int = await workflow.execute_activity("comes_later", 41)
    return result


@activity.defn
async def comes_later(number: int) -> int:
    return number + 1


def test_an_unknown_activity_waits_for_its_deploy(serve: Serve) -> None:
    async def test() -> None:
        async with serve([calls_a_later_activity, healthy], [add_one]) as client:
            handle = await client.start_workflow(calls_a_later_activity, id="early")
            assert await client.execute_workflow(healthy, 1) == 2
            (pending,) = await handle.pending_activities()
            assert (pending.activity, pending.attempt) == ("comes_later", 1)
            assert "waiting" in pending.progress
            assert "comes_later" in pending.progress
            assert (await handle.describe()).status == "running"
        async with serve([calls_a_later_activity], [comes_later]) as client:
            handle = await client.get_workflow_handle("early")
            assert await handle.result() == 42

    run(test)


far = activity.service("faraway")


@far.activity
async def analyze(text: str) -> None: ...


@workflow.defn
async def calls_a_missing_service() -> Any:
    return await analyze("x")


def test_an_unknown_service_is_waited_for_with_its_reason(serve: Serve) -> None:
    async def test() -> None:
        async with serve([calls_a_missing_service, healthy], [add_one]) as client:
            handle = await client.start_workflow(calls_a_missing_service)
            assert await client.execute_workflow(healthy, 1) == 2
            (pending,) = await handle.pending_activities()
            assert pending.service == "faraway"
            assert "faraway" in pending.progress
            await handle.terminate("nobody comes")

    run(test)


async def _as_recorded() -> list[int]:
    first = await add_one(1)
    await asyncio.sleep(0.2)
    return [first, await add_one(first)]


async def _reordered() -> list[int]:
    await asyncio.sleep(0.2)
    return [await add_one(1)]


def test_changed_code_parks_naming_both_sides_and_restored_code_resumes(serve: Serve) -> None:
    recorded = workflow.defn(name="changes")(_as_recorded)
    changed = workflow.defn(name="changes")(_reordered)

    async def test() -> None:
        seen_arguments.clear()
        async with serve([recorded], [add_one]) as client:
            handle = await client.start_workflow(recorded, id="c")
            await recorded_event(handle, "start_timer")
        async with serve([changed, healthy], [add_one]) as client:
            reason = await described(client, "c", "parked")
            assert "add_one" in reason
            assert "timer" in reason
            assert await client.execute_workflow(healthy, 5) == 6
        async with serve([recorded], [add_one]) as client:
            handle = await client.get_workflow_handle("c")
            assert await handle.result() == [2, 3]
        assert seen_arguments == [1, 5, 2]

    run(test)


warned = threading.Event()


class Warned(logging.Handler):
    """Lets go of the workflow that holds the loop."""

    def emit(self, record: logging.LogRecord) -> None:
        if "has held the loop" in record.getMessage():
            warned.set()


@workflow.defn
async def loops_without_awaiting() -> str:
    while not warned.is_set():
        pass
    for _ in range(5_000_000):
        pass
    return "gave it back"


def test_code_that_blocks_is_named_once_and_goes_on(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        quick = timedelta(milliseconds=20)
        async with serve([loops_without_awaiting], deadlock_timeout=quick) as client:
            assert await client.execute_workflow(loops_without_awaiting) == "gave it back"

    handler = Warned()
    logging.getLogger("perdure.worker").addHandler(handler)
    try:
        run(test)
    finally:
        logging.getLogger("perdure.worker").removeHandler(handler)
    (warning,) = [each.getMessage() for each in caplog.records if "held" in each.getMessage()]
    assert "of loops_without_awaiting has held" in warning
    assert "while not warned.is_set()" in warning


stuck = threading.Event()
given_up = threading.Event()


class GivenUp(logging.Handler):
    """Lets go of the workflow that cannot be interrupted."""

    def emit(self, record: logging.LogRecord) -> None:
        if "cannot be interrupted" in record.getMessage():
            given_up.set()


@workflow.defn
async def catches_everything_in_a_loop() -> str:
    while not given_up.is_set():
        try:
            while not given_up.is_set():
                pass
        except BaseException:
            continue
    return "never"


def test_code_that_cannot_be_interrupted_is_named_and_parked_when_it_ends(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        quick = timedelta(milliseconds=50)
        async with serve([catches_everything_in_a_loop], deadlock_limit=quick) as client:
            handle = await client.start_workflow(catches_everything_in_a_loop)
            with pytest.raises(WorkflowParkedError, match="PRD1201"):
                await handle.result()

    handler = GivenUp()
    logging.getLogger("perdure.worker").addHandler(handler)
    try:
        run(test)
    finally:
        logging.getLogger("perdure.worker").removeHandler(handler)
    (message,) = [each.getMessage() for each in caplog.records if each.levelname == "CRITICAL"]
    assert "catches_everything_in_a_loop" in message


@workflow.defn(name="never_awaits")
async def loops_for_ever() -> str:
    while True:
        stuck.is_set()


@workflow.defn(name="never_awaits")
async def catches_the_interruption() -> str:
    try:
        return str(await loops_for_ever.fn())
    except BaseException:
        return "never"


@workflow.defn(name="never_awaits")
async def loops_in_a_task() -> str:
    await asyncio.gather(add_one(1), loops_for_ever.fn(), return_exceptions=True)
    return "never"


@workflow.defn(name="never_awaits")
async def awaits() -> str:
    await asyncio.sleep(0)
    return "mended"


@pytest.mark.parametrize("stubborn", [loops_for_ever, catches_the_interruption, loops_in_a_task])
def test_code_that_loops_for_ever_is_parked_alone_and_goes_on_when_mended(
    serve: Serve, stubborn: Any
) -> None:
    async def test() -> None:
        quick = timedelta(milliseconds=500)
        async with serve([stubborn, healthy], [add_one], deadlock_limit=quick) as client:
            handle = await client.start_workflow(stubborn, id="stuck")
            others = [await client.start_workflow(healthy, number) for number in range(5)]
            assert [await each.result() for each in others] == [1, 2, 3, 4, 5]
            reason = await described(client, "stuck", "parked")
            assert "DeadlockError" in reason
            assert "test_bad_input.py:" in reason
            with pytest.raises(WorkflowParkedError, match="PRD1201") as caught:
                await handle.result()
            assert "in loops_for_ever" in caught.value.traceback
        async with serve([awaits, healthy], [add_one]) as client:
            handle = await client.get_workflow_handle("stuck")
            assert await handle.result() == "mended"

    run(test)
