"""F: signals and conditions (`shared` list: F1, F3, F4, F5, F6, F9, A11, A12)."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import (
    ApplicationError,
    RunClosedError,
    WorkflowFailureError,
    WorkflowParkedError,
)
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
place: contextvars.ContextVar[str] = contextvars.ContextVar("place", default="nowhere")


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Counter:
    """Counts what it is told, and keeps the order of everything that happens to it."""

    def __init__(self) -> None:
        self.log: list[Any] = ["init"]
        self.total = 0
        self.closed = False

    @workflow.run
    async def run(self, wanted: int) -> list[Any]:
        self.log.append("run")
        await workflow.wait_condition(lambda: self.total >= wanted or self.closed)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.signal
    def add(self, number: int) -> None:
        self.log.append(number)
        self.total += number

    @workflow.signal(name="add-double")
    async def add_double(self, number: int) -> None:
        self.log.append(("before", number))
        doubled = await double(number)
        self.log.append(("after", doubled))
        self.total += doubled

    @workflow.signal
    def close(self) -> None:
        self.closed = True

    @workflow.signal
    def fail(self, text: str) -> None:
        self.closed = True
        raise ApplicationError(text, type="Told")

    @workflow.signal
    async def break_down(self) -> None:
        raise KeyError("a bug in a handler")


@workflow.defn
class Gate:
    """Its condition becomes true by one signal and false by the next."""

    def __init__(self) -> None:
        self.open = False
        self.woken = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.open)
        self.woken += 1
        await workflow.wait_condition(lambda: not self.open)
        return self.woken

    @workflow.signal
    def turn(self, is_open: bool) -> None:
        self.open = is_open


@workflow.defn
async def late_handlers() -> list[Any]:
    """Sets its handlers after the signals have come."""
    log: list[Any] = []
    await asyncio.sleep(0.05)

    def named(text: str) -> None:
        log.append(("named", text))

    def others(name: str, arguments: list[Any]) -> None:
        log.append((name, arguments))

    workflow.set_signal_handler("named", named)
    workflow.set_dynamic_signal_handler(others)
    await workflow.wait_condition(lambda: len(log) == 3)
    return log


@workflow.defn
class Hasty:
    """Ends while a handler is at work."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> str:
        place.set("run")
        await workflow.wait_condition(lambda: self.told)
        return place.get()

    @workflow.signal
    async def tell(self) -> None:
        place.set("handler")
        self.told = True
        await asyncio.sleep(3_600)


def test_f1_f2_signals_come_once_in_order_after_the_start_has_run_to_idle() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Counter.run, 120)
        for _ in range(120):
            await handle.signal(Counter.add, 1)
        return await handle.result()

    log = three_ways(scenario, THIS)
    assert log == ["init", "run", *[1] * 120]


def test_async_handlers_run_beside_the_workflow_and_can_be_waited_for() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Counter.run, 1_000)
        await handle.signal(Counter.add_double, 3)
        await handle.signal("close")
        return await handle.result()

    log = three_ways(scenario, THIS, activities=[double])
    assert log == ["init", "run", ["before", 3], ["after", 6]]


def test_f4_a_condition_wakes_though_the_next_signal_makes_it_false_again() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Gate.run)
        await asyncio.gather(handle.signal(Gate.turn, True), handle.signal(Gate.turn, False))
        return await handle.result()

    assert three_ways(scenario, THIS) == 1


def test_f5_a_signal_that_does_not_fit_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Counter.run, 5)
        await handle.signal("add", "not a number")
        await handle.signal("add")
        await handle.signal("add", 1, 2)
        await handle.signal("add", 5)
        return await handle.result()

    with caplog.at_level(logging.ERROR, "perdure.workflow"):
        assert three_ways(scenario, THIS) == ["init", "run", 5]
    dropped = [each for each in caplog.messages if "'add' is dropped" in each]
    assert len(dropped) >= 3


def test_f6_an_unknown_signal_waits_for_its_handler() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(late_handlers)
        await handle.signal("other", 1, 2)
        await handle.signal("named", "first")
        await handle.signal("named", args=["second"])
        return await handle.result()

    assert three_ways(scenario, THIS) == [
        ["other", [1, 2]],
        ["named", "first"],
        ["named", "second"],
    ]


def test_f9_e18_handlers_cut_off_by_the_end_are_warned_of_and_have_their_own_context(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Hasty.run)
        await handle.signal(Hasty.tell)
        return await handle.result()

    with caplog.at_level(logging.WARNING, "perdure.workflow"):
        assert three_ways(scenario, THIS) == "run"
    assert any("handlers are still at work: signal tell" in each for each in caplog.messages)


def test_a_failure_in_a_handler_fails_the_run_and_a_bug_parks_it() -> None:
    async def scenario(client: Client) -> Any:
        failing = await client.start_workflow(Counter.run, 5)
        await failing.signal(Counter.fail, "enough")
        with pytest.raises(WorkflowFailureError) as failed:
            await failing.result()
        broken = await client.start_workflow(Counter.run, 5)
        await broken.signal(Counter.add, 1)
        await broken.signal(Counter.break_down)
        with pytest.raises(WorkflowParkedError, match="a bug in a handler"):
            await broken.result()
        return str(failed.value.__cause__), (await broken.describe()).status

    assert three_ways(scenario, THIS) == ("enough", "parked")


def test_a11_a_signal_to_a_closed_run_is_refused() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Counter.run, 0)
        await handle.result()
        with pytest.raises(RunClosedError):
            await handle.signal(Counter.add, 1)
        return (await handle.describe()).status

    assert three_ways(scenario, THIS) == "completed"
