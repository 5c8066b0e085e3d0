"""Programs over stdlib asyncio that must see the same on every loop (semantics E1 to E20, D9).

Deadlines differ from each other, since timers due at one instant fire one at a time in workflows.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncGenerator
from typing import Any

from tests.unit.instance.loops import Log

PROGRAMS: dict[str, Any] = {}


def program(function: Any) -> Any:
    PROGRAMS[function.__name__] = function
    return function


async def step(log: Log, name: str, delay: float, error: Exception | None = None) -> str:
    log("begin", name)
    try:
        await asyncio.sleep(delay)
    except asyncio.CancelledError as cancelled:
        log("cancelled", name, str(cancelled))
        raise
    finally:
        log("end", name)
    if error is not None:
        raise error
    return name


@program
async def gather_gives_results_in_argument_order(log: Log) -> Any:
    return await asyncio.gather(step(log, "a", 3), step(log, "b", 1), step(log, "c", 2))


@program
async def gather_raises_at_once_and_the_others_go_on(log: Log) -> Any:
    try:
        await asyncio.gather(step(log, "a", 3), step(log, "b", 1, ValueError("b")))
    except ValueError as error:
        log("raised", str(error))
    await asyncio.sleep(5)
    return "done"


@program
async def gather_returns_exceptions_in_their_places(log: Log) -> Any:
    outcomes = await asyncio.gather(
        step(log, "a", 2), step(log, "b", 1, ValueError("b")), return_exceptions=True
    )
    return [repr(outcome) for outcome in outcomes]


@program
async def cancelling_a_gather_cancels_in_argument_order(log: Log) -> Any:
    async def all_of_them() -> None:
        await asyncio.gather(*(step(log, name, 10 + i) for i, name in enumerate("abc")))

    task = asyncio.ensure_future(all_of_them())
    await asyncio.sleep(1)
    task.cancel("enough")
    await asyncio.wait([task])
    return task.cancelled()


@program
async def wait_first_completed_in_rounds(log: Log) -> Any:
    pending: Any = [asyncio.ensure_future(step(log, n, d)) for n, d in zip("abcd", (4, 1, 3, 2))]
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        log("round", sorted(task.result() for task in done), len(pending))
    return "done"


@program
async def wait_for_all_and_with_a_timeout(log: Log) -> Any:
    tasks = [asyncio.ensure_future(step(log, n, d)) for n, d in zip("abc", (1, 2, 9))]
    done, pending = await asyncio.wait(tasks, timeout=5)
    log("timed out", len(done), len(pending))
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    return len(done), len(pending)


@program
async def as_completed_in_order_of_completion(log: Log) -> Any:
    # Tasks, not coroutines: stock asyncio begins coroutines in the order of their addresses.
    tasks = [asyncio.ensure_future(step(log, n, d)) for n, d in zip("abc", (3, 1, 2))]
    seen = [await each for each in asyncio.as_completed(tasks)]
    tasks = [asyncio.ensure_future(step(log, n, d)) for n, d in zip("xy", (1, 9))]
    try:
        for each in asyncio.as_completed(tasks, timeout=4):
            seen.append(await each)
    except asyncio.TimeoutError:
        log("timeout")
    await asyncio.wait(tasks)
    return seen


@program
async def wait_for_in_time_late_and_at_zero(log: Log) -> Any:
    log(await asyncio.wait_for(step(log, "quick", 1), 2))
    try:
        await asyncio.wait_for(step(log, "slow", 5), 2)
    except asyncio.TimeoutError:
        log("late")
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        await asyncio.wait_for(future, 0)
    except asyncio.TimeoutError:
        log("nothing was scheduled", future.cancelled())
    return "done"


@program
async def wait_for_gives_what_swallows_the_cancel(log: Log) -> Any:
    async def stubborn() -> str:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            log("swallowed")
        return "value"

    try:
        return await asyncio.wait_for(stubborn(), 1)
    except asyncio.TimeoutError:
        return "timeout"


@program
async def nested_timeouts_outer_first(log: Log) -> Any:
    outer = asyncio.timeout(1)
    try:
        async with outer:
            inner = asyncio.timeout(3)
            try:
                async with inner:
                    await step(log, "a", 10)
            except TimeoutError:
                log("inner")
            finally:
                log("inner expired", inner.expired())
    except TimeoutError:
        log("outer", outer.expired())
    return "done"


@program
async def timeouts_rescheduled_and_none(log: Log) -> Any:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(1) as limit:
        limit.reschedule(loop.time() + 4)
        await step(log, "a", 2)
        limit.reschedule(None)
        await step(log, "b", 5)
    async with asyncio.timeout(None) as limit:
        await step(log, "c", 3)
        log(limit.when(), limit.expired())
    try:
        async with asyncio.timeout(7) as limit:
            limit.reschedule(loop.time() - 1)
            await step(log, "d", 1)
    except TimeoutError:
        log("past")
    return "done"


@program
async def timeout_at_over_several_sleeps(log: Log) -> Any:
    deadline = asyncio.get_running_loop().time() + 5
    try:
        async with asyncio.timeout_at(deadline):
            for name in "abcdef":
                await step(log, name, 1.5)
    except TimeoutError:
        log("deadline")
    return "done"


@program
async def task_group_succeeds(log: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(step(log, n, d)) for n, d in zip("abc", (2, 3, 1))]
    return [task.result() for task in tasks]


@program
async def task_group_with_two_errors(log: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(step(log, "a", 1, ValueError("a")))
        group.create_task(step(log, "b", 9))

        async def late() -> None:
            try:
                await asyncio.sleep(9)
            except asyncio.CancelledError:
                raise KeyError("late") from None

        group.create_task(late())


@program
async def task_group_with_an_error_in_its_body(log: Log) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(step(log, "a", 9))
        await asyncio.sleep(1)
        raise LookupError("body")


@program
async def task_groups_nested(log: Log) -> Any:
    try:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(step(log, "o", 9))
            async with asyncio.TaskGroup() as inner:
                inner.create_task(step(log, "i", 1, ValueError("i")))
                inner.create_task(step(log, "j", 8))
    except* ValueError as group:
        log("group", len(group.exceptions))
    return "done"


@program
async def shield_inside_timeout_awaited_again(log: Log) -> Any:
    task = asyncio.ensure_future(step(log, "a", 3))
    try:
        async with asyncio.timeout(1):
            await asyncio.shield(task)
    except TimeoutError:
        log("timeout")
    return await task


@program
async def cancel_before_the_first_step_and_twice(log: Log) -> Any:
    task = asyncio.ensure_future(step(log, "never", 1))
    log(task.cancel("first"), task.cancel("second"), task.cancelling())
    try:
        await task
    except asyncio.CancelledError as error:
        log("cancelled", str(error))
    return task.cancelled()


@program
async def uncancel_lets_a_task_go_on(log: Log) -> Any:
    async def survivor() -> str:
        try:
            await asyncio.sleep(9)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            assert current is not None
            log("uncancel", current.uncancel())
        await asyncio.sleep(1)
        return "survived"

    task = asyncio.ensure_future(survivor())
    await asyncio.sleep(1)
    task.cancel()
    return await task


@program
async def a_task_cancels_itself_inside_timeout(log: Log) -> Any:
    async def selfish() -> None:
        async with asyncio.timeout(5):
            current = asyncio.current_task()
            assert current is not None
            current.cancel("self")
            await asyncio.sleep(9)

    task = asyncio.ensure_future(selfish())
    await asyncio.wait([task])
    return task.cancelled()


@program
async def event_wakes_everybody_in_order(log: Log) -> Any:
    event = asyncio.Event()

    async def waiter(name: str) -> None:
        await event.wait()
        log("woke", name)

    tasks = [asyncio.ensure_future(waiter(name)) for name in "abc"]
    await asyncio.sleep(1)
    event.set()
    await asyncio.gather(*tasks)
    return event.is_set()


@program
async def lock_passes_a_cancelled_waiter(log: Log) -> Any:
    lock = asyncio.Lock()

    async def holder(name: str) -> None:
        async with lock:
            await step(log, name, 1)

    tasks = [asyncio.ensure_future(holder(name)) for name in "abc"]
    await asyncio.sleep(0.5)
    tasks[1].cancel()
    await asyncio.wait(tasks)
    return [task.cancelled() for task in tasks], lock.locked()


@program
async def semaphore_serves_in_order(log: Log) -> Any:
    semaphore = asyncio.Semaphore(2)

    async def worker(name: str, delay: float) -> None:
        async with semaphore:
            await step(log, name, delay)

    await asyncio.gather(*(worker(n, 1 + i / 8) for i, n in enumerate("abcde")))
    return semaphore.locked()


@program
async def condition_waits_notifies_cancels(log: Log) -> Any:
    condition = asyncio.Condition()
    items: list[int] = []

    async def consumer(name: str) -> None:
        async with condition:
            await condition.wait_for(lambda: bool(items))
            log(name, items.pop(0))

    tasks = [asyncio.ensure_future(consumer(name)) for name in "abc"]
    await asyncio.sleep(1)
    tasks[0].cancel()
    for item in (1, 2):
        async with condition:
            items.append(item)
            condition.notify_all()
        await asyncio.sleep(1)
    await asyncio.wait(tasks)
    return [task.cancelled() for task in tasks]


@program
async def queue_with_a_cancelled_getter_loses_nothing(log: Log) -> Any:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=2)

    async def getter(name: str) -> None:
        log(name, await queue.get())
        queue.task_done()

    tasks = [asyncio.ensure_future(getter(name)) for name in "abc"]
    await asyncio.sleep(1)
    tasks[0].cancel()
    for item in range(4):
        await queue.put(item)
    tasks += [asyncio.ensure_future(getter(name)) for name in "de"]
    await queue.join()
    await asyncio.wait(tasks)
    return queue.empty()


@program
async def barrier_lets_all_leave_in_order(log: Log) -> Any:
    barrier = asyncio.Barrier(3)

    async def party(name: str, delay: float) -> None:
        await asyncio.sleep(delay)
        log(name, await barrier.wait())

    await asyncio.gather(*(party(n, d) for n, d in zip("abc", (3, 1, 2))))
    return barrier.n_waiting


_variable: contextvars.ContextVar[str] = contextvars.ContextVar("_variable", default="unset")


@program
async def context_variables_are_copied_by_tasks(log: Log) -> Any:
    log(_variable.get())
    _variable.set("main")

    async def child() -> str:
        log(_variable.get())
        _variable.set("child")
        await asyncio.sleep(1)
        return _variable.get()

    log(await asyncio.ensure_future(child()))
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda: log("callback", _variable.get()))
    context = contextvars.Context()
    loop.call_soon(lambda: log("empty", _variable.get()), context=context)
    await asyncio.sleep(1)
    return _variable.get()


@program
async def async_generator_closed_early_runs_its_finally(log: Log) -> Any:
    async def numbers() -> AsyncGenerator[int]:
        try:
            for number in range(10):
                yield number
                await asyncio.sleep(1)
        finally:
            log("closing")
            await asyncio.sleep(1)
            log("closed")

    async with contextlib.aclosing(numbers()) as generator:
        async for number in generator:
            log(number)
            if number == 2:
                break
    log("after aclosing")
    async for number in numbers():
        if number == 1:
            break
    await asyncio.sleep(3)
    return "done"


@program
async def exit_stack_unwinds_in_reverse_on_cancel(log: Log) -> Any:
    @contextlib.asynccontextmanager
    async def resource(name: str) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await asyncio.sleep(0.25)
            log("released", name)

    async def user() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for name in "abc":
                await stack.enter_async_context(resource(name))
            await asyncio.sleep(9)

    task = asyncio.ensure_future(user())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


@program
async def callbacks_soon_later_and_at(log: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_later(2, log, "later 2")
    loop.call_at(loop.time() + 1, log, "at 1")
    silent = loop.call_later(1.5, log, "never")
    loop.call_later(0, log, "later 0")
    loop.call_soon(log, "soon")
    loop.call_soon(log, "cancelled soon").cancel()
    loop.call_at(loop.time() - 5, log, "past")
    loop.call_soon(lambda: loop.call_soon(log, "soon from soon"))
    await asyncio.sleep(1.25)
    silent.cancel()
    log(silent.cancelled())
    await asyncio.sleep(3)
    return "done"


@program
async def sleep_zero_yields_once(log: Log) -> Any:
    async def other(name: str, delay: float) -> None:
        for turn in range(3):
            log(name, turn)
            await asyncio.sleep(delay)

    await asyncio.gather(other("a", 0), other("b", -1), other("c", 0))
    return "done"


@program
async def a_first_error_among_eager_failures(log: Log) -> Any:
    async def fails(name: str) -> None:
        log(name)
        raise ValueError(name)

    outcomes = await asyncio.gather(*(fails(n) for n in "abc"), return_exceptions=True)
    try:
        await asyncio.gather(fails("x"), fails("y"))
    except ValueError as error:
        log("first", str(error))
    return [str(outcome) for outcome in outcomes]


@program
async def futures_with_callbacks_in_order(log: Log) -> Any:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    for name in "abc":
        future.add_done_callback(lambda done, name=name: log(name, done.result()))  # type: ignore[misc]
    asyncio.get_running_loop().call_later(1, future.set_result, 7)
    return await future
