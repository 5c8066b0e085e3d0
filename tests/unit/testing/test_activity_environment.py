"""`ActivityEnvironment` and `mock_activity`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from perdure import Worker, activity, workflow
from perdure.errors import ApplicationError, EncodeError, WorkflowFailureError
from perdure.testing import ActivityEnvironment, WorkflowEnvironment, mock_activity


@dataclass(frozen=True)
class Order:
    name: str
    cents: int


@activity.defn
async def charge(order: Order) -> str:
    activity.heartbeat({"asked": order.name})
    return f"{order.name} paid {order.cents}, attempt {activity.info().attempt}"


@activity.defn
def weigh(name: str) -> int:
    activity.heartbeat(threading.current_thread() is threading.main_thread())
    return len(name)


@activity.defn
async def waits(started: Any) -> str:
    started.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        return f"cleaned up: {error}"
    raise AssertionError


@activity.defn
def polls(started: Any, go_on: Any) -> bool:
    started.set()
    go_on.wait(30)
    return activity.is_cancelled()


@activity.defn
async def unknown_to_others() -> object:
    return object()


@workflow.defn
async def checkout(order: Order) -> str:
    return await charge(order)


def test_an_activity_runs_with_its_context() -> None:
    async def scenario() -> None:
        env = ActivityEnvironment()
        env.info = replace(env.info, attempt=3)
        assert await env.run(charge, Order("o-1", 5)) == "o-1 paid 5, attempt 3"
        assert await env.run(weigh, "abc") == 3
        assert env.heartbeats == [{"asked": "o-1"}, False], "a def runs in a thread"

    asyncio.run(scenario())
    with pytest.raises(RuntimeError):
        activity.info()


def test_heartbeats_are_told_of() -> None:
    told: list[Any] = []
    env = ActivityEnvironment(on_heartbeat=told.append)
    asyncio.run(env.run(weigh, "abc"))
    assert told == env.heartbeats == [False]


def test_what_cannot_travel_is_refused() -> None:
    async def beats() -> None:
        activity.heartbeat(object())

    with pytest.raises(EncodeError):
        asyncio.run(ActivityEnvironment().run(unknown_to_others))
    with pytest.raises(EncodeError):
        asyncio.run(ActivityEnvironment().run(beats))


def test_a_coroutine_is_cancelled() -> None:
    async def scenario() -> None:
        env = ActivityEnvironment()
        started = asyncio.Event()
        running = asyncio.ensure_future(env.run(waits, started))
        await started.wait()
        env.cancel("the user left")
        assert await running == "cleaned up: the user left"
        assert env.is_cancelled()

    asyncio.run(scenario())


def test_a_function_sees_that_it_is_cancelled() -> None:
    async def scenario() -> None:
        env = ActivityEnvironment()
        started, go_on = threading.Event(), threading.Event()
        running = asyncio.ensure_future(env.run(polls, started, go_on))
        await asyncio.to_thread(started.wait, 30)
        env.cancel()
        go_on.set()
        assert await running is True

    asyncio.run(scenario())


def on_worker(mock: Any, scenario: Callable[[WorkflowEnvironment], Awaitable[None]]) -> None:
    async def run() -> None:
        async with (
            await WorkflowEnvironment.start_time_skipping() as env,
            Worker(env.client, workflows=[checkout], activities=[mock]),
        ):
            await scenario(env)

    asyncio.run(run())


def test_a_mock_answers_and_keeps_its_calls() -> None:
    mock = mock_activity(charge, return_value="mocked")

    async def scenario(env: WorkflowEnvironment) -> None:
        for name in ("a", "b"):
            result = await env.client.execute_workflow(checkout, Order(name, 1), id=name)
            assert result == "mocked"

    on_worker(mock, scenario)
    assert mock.calls == [(Order("a", 1),), (Order("b", 1),)]
    assert [each.workflow_id for each in mock.infos] == ["a", "b"]


def test_a_mock_by_name() -> None:
    mock = mock_activity("charge", return_value="by name")

    async def scenario(env: WorkflowEnvironment) -> None:
        assert await env.client.execute_workflow(checkout, Order("a", 1)) == "by name"

    on_worker(mock, scenario)
    assert mock.calls == [({"name": "a", "cents": 1},)]


def test_a_mock_fails_and_is_tried_again() -> None:
    mock = mock_activity(charge, side_effect=[ConnectionError("down"), TimeoutError, "paid"])

    async def scenario(env: WorkflowEnvironment) -> None:
        assert await env.client.execute_workflow(checkout, Order("a", 1)) == "paid"

    on_worker(mock, scenario)
    assert [each.attempt for each in mock.infos] == [1, 2, 3]
    assert mock.infos[2].scheduled_time - mock.infos[0].scheduled_time == timedelta(0)


def test_a_mock_raises_for_good() -> None:
    mock = mock_activity(charge, side_effect=ApplicationError("no money", non_retryable=True))

    async def scenario(env: WorkflowEnvironment) -> None:
        with pytest.raises(WorkflowFailureError):
            await env.client.execute_workflow(checkout, Order("a", 1))
        mock.side_effect = None
        mock.return_value = "paid"
        assert await env.client.execute_workflow(checkout, Order("a", 1)) == "paid"

    on_worker(mock, scenario)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_mock_calls_a_function(is_async: bool) -> None:
    async def later(order: Order) -> str:
        return f"later {order.name}"

    def at_once(order: Order) -> str:
        return f"at once {order.name}"

    mock = mock_activity(charge, side_effect=later if is_async else at_once)

    async def scenario(env: WorkflowEnvironment) -> None:
        expected = "later a" if is_async else "at once a"
        assert await env.client.execute_workflow(checkout, Order("a", 1)) == expected

    on_worker(mock, scenario)


def test_an_activity_of_a_service_has_no_mock() -> None:
    @activity.service("billing").activity
    async def remote(order: Order) -> str:
        raise NotImplementedError

    with pytest.raises(TypeError, match="belongs to a service"):
        mock_activity(remote)
