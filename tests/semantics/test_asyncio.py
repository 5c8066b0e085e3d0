"""E: asyncio under replay (cases E1 to E22)."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from perdure import Client, RetryPolicy, activity, workflow
from perdure._core import decode, encode
from perdure.convert import shape_of
from perdure.errors import ActivityError, ApplicationError
from perdure.workflow import WorkflowDefinition
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@activity.defn
async def after(delay: float, value: int) -> int:
    """Gives the value when the delay is over, so that completions come in another order."""
    await asyncio.sleep(delay)
    return value


@activity.defn(retry_policy=RetryPolicy(maximum_attempts=1))
async def fails(delay: float, text: str) -> int:
    await asyncio.sleep(delay)
    raise ApplicationError(text, type="Told")


async def _noted(log: list[Any], name: str, work: Any) -> Any:
    """Notes how a task ends."""
    try:
        result = await work
    except asyncio.CancelledError:
        log.append(f"{name} cancelled")
        raise
    log.append(f"{name} done")
    return result


@workflow.defn
async def gathers() -> list[Any]:
    log: list[Any] = []
    log.append(await asyncio.gather(after(0.04, 1), after(0.02, 2), after(0, 3)))
    first = asyncio.create_task(_noted(log, "slow", after(0.05, 4)))
    try:
        await asyncio.gather(first, fails(0.01, "E2"))
    except (ActivityError, ApplicationError) as error:
        log.append(_told(error))
    log.append(await first)
    mixed = await asyncio.gather(after(0, 5), fails(0, "E3"), return_exceptions=True)
    log.append([each if isinstance(each, int) else _told(each) for each in mixed])
    children = [asyncio.create_task(_noted(log, f"c{n}", after(9, n))) for n in range(3)]
    together = asyncio.gather(*children)
    await asyncio.sleep(0)
    together.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await together
    return log


@workflow.defn
async def waits_for_the_first() -> list[Any]:
    pending = {asyncio.ensure_future(after(0.02 * (3 - n), n)) for n in range(4)}
    rounds: list[Any] = []
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        rounds.append(sorted(each.result() for each in done))
    completed = asyncio.as_completed([after(0.03, 1), after(0.01, 2), after(0, 3)])
    return [rounds, [await each for each in completed]]


@workflow.defn
async def groups() -> list[Any]:
    log: list[Any] = []
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_noted(log, "a", after(9, 1)))
            group.create_task(_noted(log, "b", fails(0.01, "first")))
            group.create_task(_fails_in_cleanup(log))
    except* (ActivityError, ApplicationError) as errors:
        log.append(sorted(_told(each) for each in errors.exceptions))
    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(_noted(log, "outer", after(9, 1)))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(_noted(log, "inner", after(9, 1)))
                await asyncio.sleep(0.01)
                raise ApplicationError("body", type="Told")
    except ExceptionGroup as errors:
        log.append(errors.message)
        log.append([type(each).__name__ for each in errors.exceptions])
    # asyncio cancels the tasks of a group in the order of their addresses, a run in creation order.
    return sorted(map(str, log))


def _told(error: BaseException) -> str:
    """What an activity said, called as an activity or as the plain function that it is."""
    return str(error.cause if isinstance(error, ActivityError) else error)


async def _fails_in_cleanup(log: list[Any]) -> None:
    try:
        await after(9, 1)
    finally:
        log.append("cleaning up")
        await after(0, 1)
        raise ApplicationError("late", type="Told")


@workflow.defn
async def times_out() -> list[Any]:
    log: list[Any] = []
    with contextlib.suppress(TimeoutError):
        log.append(await asyncio.wait_for(after(0.2, 1), 0.03))
    try:
        await asyncio.wait_for(after(0, 1), 0)
    except TimeoutError:
        log.append("E8")
    log.append(await asyncio.wait_for(_swallows(), 0.01))
    kept = asyncio.ensure_future(after(0.05, 10))
    try:
        async with asyncio.timeout(0.01):
            await asyncio.shield(kept)
    except TimeoutError:
        log.append("E10")
    log.append(await kept)
    outer = asyncio.timeout(0.02)
    try:
        async with outer, asyncio.timeout(5):
            await asyncio.sleep(9)
    except TimeoutError:
        log.append(("E11", outer.expired()))
    async with asyncio.timeout(0.01) as moved:
        moved.reschedule(asyncio.get_running_loop().time() + 5)
        await asyncio.sleep(0.02)
    async with asyncio.timeout(None):
        log.append(await after(0, 11))
    return log


async def _swallows() -> str:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        return "E9"
    return "slept"


@workflow.defn
async def cancels() -> list[Any]:
    log: list[Any] = []
    early = asyncio.create_task(asyncio.sleep(9, "never begun"))
    early.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await early
    told = asyncio.create_task(after(9, 1))
    await asyncio.sleep(0)
    told.cancel("why")
    told.cancel("again")
    try:
        await told
    except asyncio.CancelledError as error:
        log.append((error.args, told.cancelling()))
    resists = asyncio.create_task(_uncancels(log))
    await asyncio.sleep(0)
    resists.cancel()
    log.append(await resists)
    return log


async def _uncancels(log: list[Any]) -> str:
    try:
        await asyncio.sleep(9)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        log.append(task and task.uncancel())
    await after(0, 1)
    return "went on"


@workflow.defn
async def synchronizes() -> list[Any]:
    log: list[Any] = []
    lock, semaphore = asyncio.Lock(), asyncio.Semaphore(2)
    condition, queue = asyncio.Condition(), asyncio.Queue[int]()
    barrier = asyncio.Barrier(3)

    async def locked(name: str) -> None:
        async with lock:
            log.append(name)
            await after(0.01, 0)

    holders = [asyncio.create_task(locked(f"lock {n}")) for n in range(3)]
    await asyncio.sleep(0)
    holders[1].cancel()
    await asyncio.gather(*holders, return_exceptions=True)

    async def entered(n: int) -> None:
        async with semaphore:
            log.append(f"semaphore {n}")
            await after(0.01 * (n % 2), 0)

    await asyncio.gather(*(entered(n) for n in range(5)))

    async def notified(n: int) -> None:
        async with condition:
            await condition.wait()
            log.append(f"condition {n}")

    waiters = [asyncio.create_task(notified(n)) for n in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    async with condition:
        condition.notify(1)
    await asyncio.sleep(0.01)
    async with condition:
        condition.notify_all()
    await asyncio.gather(*waiters, return_exceptions=True)

    getters = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.put_nowait(1)
    getters[0].cancel()
    queue.put_nowait(2)
    got = await asyncio.gather(*getters, return_exceptions=True)
    log.append([each if isinstance(each, int) else "cancelled" for each in got])
    log.append(queue.qsize())

    async def met(n: int) -> None:
        await after(0.01 * (2 - n), 0)
        log.append(f"barrier {n} {await barrier.wait()}")

    await asyncio.gather(*(met(n) for n in range(3)))
    return log


@workflow.defn
async def carries_context() -> list[Any]:
    log: list[Any] = []
    variable.set("main")

    async def child(value: str) -> str:
        before = variable.get()
        variable.set(value)
        await after(0, 1)
        return f"{before} {variable.get()}"

    log += await asyncio.gather(child("one"), child("two"))
    log.append(variable.get())
    return log


@workflow.defn
async def names_tasks() -> list[str]:
    log: list[str] = []

    async def named(delay: float) -> None:
        await after(delay, 0)
        log.append(_name_of_task())

    log.append(_name_of_task())
    await asyncio.gather(named(0.02), named(0))
    return log


def _name_of_task() -> str:
    task = asyncio.current_task()
    return "" if task is None else task.get_name()


@workflow.defn
async def closes_generators() -> list[Any]:
    log: list[Any] = []

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            for number in range(5):
                yield await after(0, number)
        finally:
            log.append("finally")
            await after(0, 1)
            log.append("cleaned up")

    generator = numbers()
    log.append(await anext(generator))
    await generator.aclose()
    log.append("after E19")
    task = asyncio.create_task(_cleans_up_in_reverse(log))
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return log


async def _cleans_up_in_reverse(log: list[Any]) -> None:
    async def undo(number: int) -> None:
        log.append(await after(0, number))

    async with contextlib.AsyncExitStack() as stack:
        for number in range(3):
            stack.push_async_callback(undo, number)
        await asyncio.sleep(9)


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(gathers, id="E1-E4 gather"),
        pytest.param(waits_for_the_first, id="E5 wait and as_completed"),
        pytest.param(groups, id="E6 TaskGroup"),
        pytest.param(times_out, id="E7-E11 timeouts"),
        pytest.param(cancels, id="E12 cancel"),
        pytest.param(synchronizes, id="E13-E17 locks and their kin"),
        pytest.param(carries_context, id="E18 context variables"),
        pytest.param(closes_generators, id="E19-E20 clean-up"),
    ],
)
def test_a_workflow_does_as_plain_asyncio_does(
    program: WorkflowDefinition[[], list[Any]],
) -> None:
    """The oracle is the very coroutine on asyncio's own loop, with plain calls for activities."""

    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(program)

    async def plain() -> Any:
        return decode(encode(await program.fn()), shape_of(Any))

    assert three_ways(scenario, THIS, activities=[after, fails]) == asyncio.run(plain())


def test_e21_tasks_have_the_same_names_again() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(names_tasks)

    assert three_ways(scenario, THIS, activities=[after]) == [f"Task-{n}" for n in (1, 3, 2)]


@activity.defn
def collects_garbage() -> int:
    """Between two turns: that is when the collector may run."""
    gc.collect()
    return 0


@workflow.defn
async def forgets_its_tasks() -> list[Any]:
    log: list[Any] = []

    async def forgotten(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append(f"{name} collected")

    for name in "ab":
        asyncio.create_task(forgotten(name), name=name)  # noqa: RUF006
        await collects_garbage()
        log.append(sorted(task.get_name() for task in asyncio.all_tasks()))
    return log


def test_a_task_that_nobody_holds_is_not_collected_while_it_waits() -> None:
    async def scenario(client: Client) -> Any:
        return await client.execute_workflow(forgets_its_tasks)

    expected = [["Task-1", "a"], ["Task-1", "a", "b"]]
    assert three_ways(scenario, THIS, activities=[collects_garbage]) == expected
