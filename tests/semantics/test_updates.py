"""G1 to G7 and F1: updates with validators, and messages that come with a start."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.errors import (
    ApplicationError,
    NotFoundError,
    RunClosedError,
    WorkflowParkedError,
    WorkflowUpdateFailedError,
)
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Account:
    """Takes money in and out, and keeps the order of what happened."""

    def __init__(self) -> None:
        self.balance = 0
        self.log: list[Any] = ["init"]
        self.closed = False
        self.lock = asyncio.Lock()

    @workflow.run
    async def run(self) -> list[Any]:
        self.log.append("run")
        await workflow.wait_condition(lambda: self.closed)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.log

    @workflow.update
    def deposit(self, amount: int) -> int:
        self.log.append(amount)
        self.balance += amount
        return self.balance

    @deposit.validator
    def check_deposit(self, amount: int) -> None:
        if amount <= 0:
            raise ApplicationError("deposit something", type="Refused")

    @workflow.update(name="deposit-double")
    async def deposit_double(self, amount: int) -> int:
        async with self.lock:
            self.log.append(("before", amount))
            self.balance += await double(amount)
            self.log.append(("after", amount))
            return self.balance

    @workflow.update
    def withdraw(self, amount: int) -> int:
        if amount > self.balance:
            raise ApplicationError("no funds", type="NoFunds")
        return self.deposit(-amount)

    @workflow.update
    async def close(self) -> str:
        self.closed = True
        return "closed"

    @workflow.update
    def break_down(self) -> None:
        raise KeyError("a bug in a handler")

    @workflow.update
    async def wait_for_ever(self) -> None:
        await asyncio.Event().wait()

    @workflow.update
    def schedules(self) -> None:
        raise AssertionError("not reached: its validator is not allowed what it does")

    @schedules.validator
    def schedule_in_validator(self) -> None:
        workflow.start_activity(double, 1)

    @workflow.signal
    def note(self, text: str) -> None:
        self.log.append(text)

    @workflow.signal
    def end(self) -> None:
        self.closed = True

    @workflow.signal
    def end_at_once(self) -> None:
        raise ApplicationError("ended", type="Ended")


@workflow.defn
async def function_with_updates() -> list[Any]:
    """A function takes updates by setters."""
    log: list[Any] = []

    def say(text: str) -> str:
        log.append(text)
        return text.upper()

    def is_short(text: str) -> None:
        if len(text) > 5:
            raise ApplicationError("too long")

    def others(name: str, arguments: list[Any]) -> list[Any]:
        log.append(name)
        return arguments

    workflow.set_update_handler("say", say, validator=is_short)
    workflow.set_dynamic_update_handler(others)
    await workflow.wait_condition(lambda: len(log) == 2)
    return log


@workflow.defn
class Ledger:
    """An update that makes it go on in another run."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.turned = False

    @workflow.run
    async def run(self, entries: list[str]) -> list[str]:
        self.entries = [*entries, *self.entries]
        await workflow.wait_condition(lambda: "end" in self.entries)
        return self.entries

    @workflow.update
    def add(self, entry: str) -> int:
        self.entries.append(entry)
        return len(self.entries)

    @workflow.update
    async def turn_the_page(self) -> str:
        await double(1)
        workflow.continue_as_new([*self.entries, "page"])


async def _refused(handle: Any, update: Any, *arguments: Any) -> str:
    with pytest.raises(WorkflowUpdateFailedError) as failed:
        await handle.execute_update(update, *arguments)
    return f"{failed.value} | {type(failed.value.__cause__).__name__}"


def test_an_update_gives_its_result_and_wakes_the_run() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        first = await handle.execute_update(Account.deposit, 5)
        started = await handle.start_update(Account.deposit_double, 4)
        second = await started.result()
        closed = await handle.execute_update("close")
        return first, second, closed, await handle.result()

    first, second, closed, log = three_ways(scenario, THIS, activities=[double])
    assert (first, second, closed) == (5, 13, "closed")
    assert log == ["init", "run", 5, ["before", 4], ["after", 4]]


def test_g1_an_update_that_its_validator_refuses_leaves_nothing_in_history() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        await handle.execute_update(Account.deposit, 1)
        before = await handle.fetch_history()
        refused = [
            await _refused(handle, Account.deposit, 0),
            await _refused(handle, "no such"),
            await _refused(handle, "deposit", "text"),
            await _refused(handle, "deposit", 1, 2),
            await _refused(handle, Account.schedules),
        ]
        assert await handle.fetch_history() == before
        await handle.execute_update(Account.deposit, 2)
        await handle.execute_update(Account.close)
        return refused, await handle.result()

    refused, log = three_ways(scenario, THIS, activities=[double])
    assert log == ["init", "run", 1, 2]
    for text, said in zip(
        refused,
        (
            "deposit something | Appl",
            "'no such'; it has: break_down,",
            "$",
            "too many",
            "only reads",
        ),
        strict=True,
    ):
        assert text.startswith("the update was refused: ")
        assert said in text


def test_a_refused_id_may_come_again() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        with pytest.raises(WorkflowUpdateFailedError):
            await handle.execute_update(Account.deposit, 0, id="first")
        with pytest.raises(NotFoundError, match="no update 'first'"):
            await handle.get_update_handle("first").result()
        balance = await handle.execute_update(Account.deposit, 3, id="first")
        await handle.execute_update(Account.close)
        return balance, await handle.result()

    assert three_ways(scenario, THIS) == (3, ["init", "run", 3])


def test_g2_two_updates_under_one_lock_run_one_after_the_other() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        both = await asyncio.gather(
            handle.execute_update(Account.deposit_double, 1),
            handle.execute_update(Account.deposit_double, 2),
        )
        await handle.execute_update(Account.close)
        return both, await handle.result()

    both, log = three_ways(scenario, THIS, activities=[double])
    assert both == [2, 6]
    assert log[2:] == [["before", 1], ["after", 1], ["before", 2], ["after", 2]]


def test_g3_a_failure_fails_the_update_and_a_bug_parks_the_run() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        failed = await _refused(handle, Account.withdraw, 1)
        balance = await handle.execute_update(Account.deposit, 2)
        with pytest.raises(WorkflowParkedError, match="a bug in a handler"):
            await handle.execute_update(Account.break_down)
        return failed, balance, (await handle.describe()).status

    failed, balance, status = three_ways(scenario, THIS)
    assert failed == "the update failed: no funds | ApplicationError"
    assert (balance, status) == (2, "parked")


def test_g4_h11_updates_at_the_end_of_a_run() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        pending = await handle.start_update(Account.wait_for_ever, id="pending")
        waiting = asyncio.ensure_future(pending.result())
        await asyncio.sleep(0)
        closed = await handle.start_update(Account.close, id="close")
        await handle.signal(Account.end_at_once)
        with pytest.raises(RunClosedError):
            await waiting
        with pytest.raises(RunClosedError):
            await handle.execute_update(Account.deposit, 1)
        with pytest.raises(RunClosedError):
            await handle.execute_update(Account.wait_for_ever, id="pending")
        again = await handle.execute_update(Account.close, id="close")
        return await closed.result(), again, (await handle.describe()).status

    assert three_ways(scenario, THIS) == ("closed", "closed", "failed")


def test_g5_the_same_id_is_executed_once() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        several = await asyncio.gather(
            *(handle.execute_update(Account.deposit_double, 1, id="one") for _ in range(3))
        )
        several.append(await handle.execute_update(Account.deposit_double, 1, id="one"))
        several.append(await handle.get_update_handle("one").result())
        await handle.execute_update(Account.close)
        return several, await handle.result()

    several, log = three_ways(scenario, THIS, activities=[double])
    assert several == [2] * 5
    assert log == ["init", "run", ["before", 1], ["after", 1]]


def test_h11_an_update_may_go_on_in_another_run() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Ledger.run, [], id="ledger")
        counts = [await handle.execute_update(Ledger.add, "first", id="add")]
        with pytest.raises(RunClosedError):
            await handle.execute_update(Ledger.turn_the_page)
        # The id belongs to the run: in the next one it is free.
        newest = await client.get_workflow_handle("ledger")
        counts.append(await newest.execute_update(Ledger.add, "second", id="add"))
        counts.append(await handle.execute_update(Ledger.add, "third"))
        await newest.execute_update(Ledger.add, "end")
        return counts, await handle.result()

    counts, entries = three_ways(scenario, THIS, activities=[double])
    assert entries == ["first", "page", "second", "third", "end"]
    assert counts == [1, 3, 4]


def test_g7_updates_and_signals_are_handled_in_the_order_of_their_receipt() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(Account.run)
        await asyncio.gather(
            handle.signal(Account.note, "a"),
            handle.execute_update(Account.deposit, 1),
            handle.signal(Account.note, "b"),
            handle.execute_update(Account.deposit, 2),
        )
        await handle.execute_update(Account.close)
        return await handle.result()

    assert three_ways(scenario, THIS) == ["init", "run", "a", 1, "b", 2]


def test_a_function_takes_updates_by_setters() -> None:
    async def scenario(client: Client) -> Any:
        handle = await client.start_workflow(function_with_updates)
        refused = await _refused(handle, "say", "too long a text")
        said = await handle.execute_update("say", "hello")
        other = await handle.execute_update("other", 1, "two")
        return refused, said, other, await handle.result()

    refused, said, other, log = three_ways(scenario, THIS)
    assert "too long" in refused
    assert (said, other, log) == ("HELLO", [1, "two"], ["hello", "other"])


def test_f1_a_signal_that_comes_with_the_start_is_handled_before_run() -> None:
    async def scenario(client: Client) -> Any:
        async def tell(text: str) -> Any:
            return await client.start_workflow(
                Account.run, id="a", start_signal=Account.note, start_signal_args=[text]
            )

        first = await tell("first")
        second = await tell("second")
        assert first.run_id == second.run_id
        await first.execute_update(Account.close)
        return await second.result()

    assert three_ways(scenario, THIS) == ["init", "first", "run", "second"]


def test_an_update_that_comes_with_the_start_is_handled_once_or_refused() -> None:
    async def scenario(client: Client) -> Any:
        async def deposit(amount: int, workflow_id: str) -> Any:
            return await client.start_update_with_start(
                Account.deposit_double if amount > 0 else Account.deposit,
                amount,
                workflow=Account.run,
                id=workflow_id,
                update_id="first",
            )

        async def log_of(workflow_id: str) -> Any:
            handle = await client.get_workflow_handle(workflow_id)
            await handle.execute_update(Account.close)
            return await handle.result()

        several = await asyncio.gather(*(deposit(1, "taken") for _ in range(3)))
        balances = [await update.result() for update in several]
        with pytest.raises(WorkflowUpdateFailedError, match="deposit something"):
            await deposit(0, "refused")
        return balances, await log_of("taken"), await log_of("refused")

    balances, taken, refused = three_ways(scenario, THIS, activities=[double])
    assert balances == [2, 2, 2]
    assert taken == ["init", "run", ["before", 1], ["after", 1]]
    assert refused == ["init", "run"]


def test_an_update_starts_the_run_that_it_is_for() -> None:
    async def scenario(client: Client) -> Any:
        async def deposit(amount: int) -> Any:
            return await client.execute_update_with_start(
                Account.deposit, amount, workflow=Account.run, id="a"
            )

        balances = [await deposit(1), await deposit(2)]
        handle = await client.get_workflow_handle("a")
        await handle.execute_update(Account.close)
        await handle.result()
        balances.append(await deposit(4))
        return balances

    assert three_ways(scenario, THIS) == [1, 3, 4]


def test_an_async_validator_is_refused_where_it_is_declared() -> None:
    async def waits(self: Any) -> None:
        pass

    def handle(self: Any) -> None:
        pass

    with pytest.raises(TypeError, match="a validator only reads"):
        workflow.update(handle).validator(waits)  # type: ignore[arg-type]
