"""What the loop promises beyond stock asyncio: time, timers, names, refusals, slices."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import math
import sys
import threading
import weakref
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from perdure._core import _native
from perdure.errors import NondeterminismError
from perdure.instance._eviction import evict
from tests.unit.instance.loops import EPOCH_US, Log, Run, on_workflow_loop


def run_to_end(coroutine: Any) -> tuple[Run, Any]:
    run = Run()
    task = run.start(coroutine)
    run.finish(task)
    return run, task.result()


def test_it_is_an_asyncio_loop_and_its_tasks_are_cpythons_own() -> None:
    async def main() -> Any:
        return asyncio.get_running_loop(), asyncio.current_task()

    run, (loop, task) = run_to_end(main())
    assert loop is run.loop
    assert isinstance(loop, asyncio.AbstractEventLoop)
    kind = cast("object", type(task))
    assert kind is asyncio.Task
    assert asyncio.Task.__module__ == "_asyncio"


def test_sleeping_issues_one_durable_timer_rounded_up_to_the_microsecond() -> None:
    async def main(log: Log) -> None:
        await asyncio.sleep(1.0000001)
        await asyncio.sleep(0.1)

    outcome = on_workflow_loop(main)
    assert outcome.commands == [("start", 1, 1_000_001), ("start", 2, 1_100_001)]


@pytest.mark.parametrize("delay", [0, -1, -0.0])
def test_sleeping_for_nothing_issues_no_timer(delay: float) -> None:
    async def main(log: Log) -> str:
        await asyncio.sleep(delay)
        return "woke"

    outcome = on_workflow_loop(main)
    assert (outcome.result, outcome.commands) == ("woke", [])


@pytest.mark.parametrize("delay", [math.inf, math.nan, 1e13])
def test_sleeping_for_ever_is_refused(delay: float) -> None:
    async def main(log: Log) -> None:
        await asyncio.sleep(delay)

    outcome = on_workflow_loop(main)
    assert outcome.result[0] == "ValueError"
    # From CPython 3.13 on asyncio refuses NaN before the loop is asked.
    assert "delay" in outcome.result[1]
    assert outcome.commands == []


@pytest.mark.parametrize("years", [10, 1000])
def test_sleeping_for_years_is_fine(years: int) -> None:
    async def main(log: Log) -> float:
        await asyncio.sleep(years * 365 * 86_400)
        return asyncio.get_running_loop().time()

    outcome = on_workflow_loop(main)
    assert outcome.result == years * 365 * 86_400
    assert outcome.commands == [("start", 1, years * 365 * 86_400 * 1_000_000)]


def test_a_timeout_that_ends_in_time_takes_its_timer_back() -> None:
    async def main(log: Log) -> str:
        async with asyncio.timeout(10):
            await asyncio.sleep(1)
        return await asyncio.wait_for(asyncio.sleep(1, "slept"), 5)

    outcome = on_workflow_loop(main)
    assert outcome.result == "slept"
    assert outcome.commands == [
        ("start", 1, 10_000_000),
        ("start", 2, 1_000_000),
        ("cancel", 1),
        ("start", 3, 6_000_000),
        ("start", 4, 2_000_000),
        ("cancel", 3),
    ]


def test_time_stands_still_inside_an_activation_and_never_steps_back() -> None:
    seen: list[float] = []
    gate: list[asyncio.Future[None]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(3):
            seen.append(loop.time())
            await asyncio.sleep(0)
            seen.append(loop.time())
            gate.append(loop.create_future())
            await gate[-1]

    run = Run()
    run.start(main())
    for now_us in (EPOCH_US, EPOCH_US + 5_000_000, EPOCH_US - 3_600_000_000):
        run.loop.set_now(now_us)
        run.loop.run_until_idle()
        run.loop.inside(gate[-1].set_result, None)
    assert seen == [0.0, 0.0, 5.0, 5.0, 5.0, 5.0]
    assert run.loop.now_us == EPOCH_US - 3_600_000_000
    evict(run.loop)


def test_a_timer_fires_once_and_never_after_its_cancel() -> None:
    run = Run()
    fired: list[str] = []
    handle = run.loop.inside(run.loop.call_later, 1, fired.append, "late")
    kept = run.loop.inside(run.loop.call_later, 2, fired.append, "kept")
    run.loop.inside(handle.cancel)
    assert run.loop.fire_timer(1) is False
    assert run.loop.fire_timer(2) is True
    assert run.loop.fire_timer(2) is False
    run.loop.run_until_idle()
    run.loop.inside(kept.cancel)
    assert fired == ["kept"]
    assert run.timers.commands[2:] == [("cancel", 1)]


def test_a_handle_tells_when_and_whether_cancelled() -> None:
    run = Run()
    soon = run.loop.inside(run.loop.call_soon, print)
    later = run.loop.inside(run.loop.call_later, 2.5, print)
    assert (later.when(), later.cancelled(), soon.cancelled()) == (2.5, False, False)
    run.loop.inside(later.cancel)
    run.loop.inside(soon.cancel)
    assert (later.cancelled(), soon.cancelled()) == (True, True)
    assert "cancelled" in repr(later)


def test_tasks_are_numbered_by_run() -> None:
    async def main() -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0)) for _ in range(2)]
        named = asyncio.create_task(asyncio.sleep(0), name="mine")
        last = asyncio.ensure_future(asyncio.sleep(0))
        await asyncio.gather(*tasks, named, last)
        current = asyncio.current_task()
        assert current is not None
        return [task.get_name() for task in (current, *tasks, named, last)]

    for _ in range(2):
        _run, names = run_to_end(main())
        assert names == ["Task-1", "Task-2", "Task-3", "mine", "Task-5"]


def test_debug_mode_of_the_host_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")

    async def main() -> bool:
        return asyncio.get_running_loop().get_debug()

    sys.set_coroutine_origin_tracking_depth(5)
    try:
        _run, debug = run_to_end(main())
    finally:
        sys.set_coroutine_origin_tracking_depth(0)
    assert debug is False


def _refused_calls() -> dict[str, Any]:
    async def client(loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.open_connection("127.0.0.1", 1)

    async def thread(loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.to_thread(print)

    async def executor(loop: asyncio.AbstractEventLoop) -> None:
        await loop.run_in_executor(None, print)

    async def process(loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.create_subprocess_exec("true")

    async def shell(loop: asyncio.AbstractEventLoop) -> None:
        await asyncio.create_subprocess_shell("true")

    async def reader(loop: asyncio.AbstractEventLoop) -> None:
        loop.add_reader(0, print)

    async def signal(loop: asyncio.AbstractEventLoop) -> None:
        loop.add_signal_handler(15, print)

    async def nested(loop: asyncio.AbstractEventLoop) -> None:
        loop.run_until_complete(asyncio.sleep(0))

    async def nested_run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.run(asyncio.sleep(0))

    async def stop(loop: asyncio.AbstractEventLoop) -> None:
        loop.stop()

    async def close(loop: asyncio.AbstractEventLoop) -> None:
        loop.close()

    calls = (client, thread, executor, process, shell, reader, signal, nested, nested_run, stop)
    return {call.__name__: call for call in (*calls, close)}


@pytest.mark.parametrize("name", sorted(_refused_calls()))
@pytest.mark.filterwarnings("ignore:coroutine 'sleep' was never awaited:RuntimeWarning")
def test_reaching_out_is_refused_at_the_line(name: str) -> None:
    call = _refused_calls()[name]

    async def main() -> None:
        await call(asyncio.get_running_loop())

    with pytest.raises(NondeterminismError) as raised:
        run_to_end(main())
    assert raised.value.file == __file__
    assert raised.value.line == call.__code__.co_firstlineno + 1
    assert raised.value.function == call.__qualname__
    # The coroutine that was refused warns in this test, and not in one that the collector chooses.
    del raised
    gc.collect()


def test_scheduling_from_outside_a_slice_is_refused() -> None:
    run = Run()
    future = run.loop.inside(run.loop.create_future)
    future.add_done_callback(print)
    with pytest.raises(RuntimeError, match="not running"):
        future.set_result(1)
    with pytest.raises(RuntimeError, match="not running"):
        run.loop.call_soon(print)
    with pytest.raises(NondeterminismError):
        run.loop.call_soon_threadsafe(print)


def test_an_error_never_retrieved_is_logged_once_and_not_in_replays(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async def fails() -> None:
            raise ValueError("nobody asked")

        task: Any = asyncio.ensure_future(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    with caplog.at_level(logging.ERROR, "perdure.workflow"):
        for replaying in (False, True):
            run = Run()
            run.loop.replaying = replaying
            run.finish(run.start(main()))
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "never retrieved" in caplog.text


def test_an_error_in_a_callback_reaches_the_handler_and_the_loop_goes_on() -> None:
    contexts: list[dict[str, Any]] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: contexts.append(context))
        loop.call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)
        return "went on"

    _run, result = run_to_end(main())
    assert result == "went on"
    assert [type(context["exception"]) for context in contexts] == [ZeroDivisionError]
    assert contexts[0]["message"].startswith("Exception in callback")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_leaves_the_slice_and_gives_the_host_back(error: type[BaseException]) -> None:
    async def main() -> None:
        raise error

    run = Run()
    run.start(main())
    with pytest.raises(error):
        run.loop.run_until_idle()
    assert asyncio._get_running_loop() is None
    assert _native.current_loop() is None
    assert gc.isenabled()


def test_a_slice_gives_loop_hooks_collector_and_context_back_to_the_host() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    seen: list[Any] = []

    async def main() -> None:
        seen.append((asyncio.get_running_loop(), gc.isenabled(), variable.get()))
        seen.append(_native.current_loop())
        variable.set("workflow")
        await asyncio.sleep(0)

    async def host() -> None:
        variable.set("host")
        hooks = sys.get_asyncgen_hooks()
        done = asyncio.get_running_loop().create_future()

        def turn() -> None:
            run = Run()
            run.finish(run.start(main()))
            seen.append(run.loop)
            done.set_result(None)

        asyncio.get_running_loop().call_soon(turn)
        await done
        assert sys.get_asyncgen_hooks() == hooks
        assert variable.get() == "host"

    asyncio.run(host())
    assert seen == [(seen[-1], False, "unset"), seen[-1], seen[-1]]
    assert gc.isenabled()


def test_a_disabled_collector_stays_disabled() -> None:
    gc.disable()
    try:
        run_to_end(asyncio.sleep(1))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_runs_interleave_without_seeing_each_other() -> None:
    async def main(name: str) -> list[Any]:
        seen: list[Any] = []
        for _ in range(3):
            task = asyncio.current_task()
            assert task is not None
            seen.append((asyncio.get_running_loop(), task.get_name(), name))
            await asyncio.sleep(1)
        return seen

    runs = [Run() for _ in range(3)]
    tasks = [run.start(main(str(i))) for i, run in enumerate(runs)]
    for _ in range(4):
        for run in runs:
            run.loop.run_until_idle()
        for run in runs:
            run.fire_next()
    for i, (run, task) in enumerate(zip(runs, tasks, strict=True)):
        assert task.result() == [(run.loop, "Task-1", str(i))] * 3


def test_another_thread_is_outside() -> None:
    seen: list[Any] = []

    async def main() -> None:
        barrier = threading.Event()

        def look() -> None:
            seen.append(_native.current_loop())
            barrier.set()

        outside.append(look)
        requests.set()
        barrier.wait(10)
        seen.append(_native.current_loop())

    outside: list[Any] = []
    requests = threading.Event()

    def other_thread() -> None:
        assert requests.wait(10)
        outside[0]()

    thread = threading.Thread(target=other_thread)
    thread.start()
    run, _result = run_to_end(main())
    thread.join()
    assert seen == [None, run.loop]


def test_a_budget_ends_a_slice_between_callbacks() -> None:
    run = Run()
    turns: list[int] = []

    async def main() -> None:
        for turn in range(1_000):
            turns.append(turn)
            await asyncio.sleep(0)

    task = run.start(main())
    slices = 1
    while not run.loop.run_until_idle(0):
        slices += 1
    assert task.done()
    assert turns == list(range(1_000))
    assert 100 < slices < 1_000


def test_async_generators_are_shut_down_in_the_order_of_creation() -> None:
    closed: list[int] = []

    async def numbers(name: int) -> AsyncGenerator[int]:
        try:
            yield name
            yield name
        finally:
            await asyncio.sleep(0)
            closed.append(name)

    async def main() -> None:
        generators = [numbers(name) for name in range(20)]
        for generator in reversed(generators):
            await anext(generator)
        await asyncio.get_running_loop().shutdown_asyncgens()

    run_to_end(main())
    assert closed == list(reversed(range(20)))


def test_a_finished_run_leaves_nothing_to_the_collector() -> None:
    async def main() -> int:
        async with asyncio.TaskGroup() as group:
            for delay in range(5):
                group.create_task(asyncio.sleep(delay))
        return await asyncio.wait_for(asyncio.sleep(1, 7), 5)

    gc.collect()
    gc.disable()
    try:
        run, result = run_to_end(main())
        alive = weakref.ref(run.loop)
        run.loop.kill()
        del run
        assert result == 7
        assert alive() is None
    finally:
        gc.enable()


def test_a_task_that_nobody_holds_lives_until_it_is_done() -> None:
    run = Run()
    seen: list[str] = []
    done: list[weakref.ref[Any]] = []

    async def waits(seconds: float) -> None:
        try:
            if seconds:
                await asyncio.sleep(seconds)
            else:
                await asyncio.get_running_loop().create_future()
        finally:
            seen.append(f"over {seconds}")

    async def main() -> list[str]:
        asyncio.create_task(waits(0), name="for ever")  # noqa: RUF006
        done.append(weakref.ref(asyncio.create_task(waits(1))))
        await asyncio.sleep(2)
        return sorted(task.get_name() for task in asyncio.all_tasks())

    task = run.start(main())
    run.loop.run_until_idle()
    while run.fire_next():
        gc.collect()
        run.loop.run_until_idle()
        gc.collect()
    assert task.result() == ["Task-1", "for ever"]
    assert seen == ["over 1"]
    assert [each() for each in done] == [None], "what is done is not held"
    assert [each.get_name() for each in run.loop.tasks()] == ["Task-1", "for ever"]
    evict(run.loop)
