"""Activities that never wait share a task; nothing else of theirs is shared."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any

from perdure import activity, workflow
from tests.e2e.conftest import Serve

_mark: contextvars.ContextVar[str] = contextvars.ContextVar("mark", default="clean")
_tasks: list[asyncio.Task[Any] | None] = []
_found: list[str] = []
_door: list[asyncio.Event] = []


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def with_fresh_notes() -> None:
        _tasks.clear()
        _found.clear()
        _door[:] = [asyncio.Event()]
        await test()

    asyncio.run(asyncio.wait_for(with_fresh_notes(), 60))


@activity.defn
async def notes_its_task(number: int) -> int:
    _tasks.append(asyncio.current_task())
    return number


@workflow.defn
async def many_that_never_wait(count: int) -> int:
    return sum(await asyncio.gather(*(notes_its_task(number) for number in range(count))))


def test_activities_that_never_wait_share_a_task(serve: Serve) -> None:
    async def test() -> None:
        async with serve([many_that_never_wait], [notes_its_task]) as client:
            assert await client.execute_workflow(many_that_never_wait, 100) == 4950
        assert len(_tasks) == 100
        assert None not in _tasks
        assert len(set(_tasks)) < 100

    run(test)


@activity.defn
async def marks_its_context(number: int) -> str:
    _found.append(f"{_mark.get()} {activity.info().activity}")
    _mark.set(f"marked by {number}")
    return activity.info().task_id


@workflow.defn
async def many_that_mark() -> list[str]:
    return list(await asyncio.gather(*(marks_its_context(number) for number in range(20))))


def test_no_activity_meets_what_another_has_left_in_its_context(serve: Serve) -> None:
    async def test() -> None:
        async with serve([many_that_mark], [marks_its_context]) as client:
            ids = await client.execute_workflow(many_that_mark)
        assert len(set(ids)) == 20
        assert _found == ["clean marks_its_context"] * 20

    run(test)


@activity.defn
async def waits_for_the_door(seconds: float | None) -> str:
    try:
        async with asyncio.timeout(seconds):
            await _door[0].wait()
    except TimeoutError:
        return "too late"
    except asyncio.CancelledError:
        _found.append("cancelled")
        raise
    return activity.info().activity


@activity.defn
async def opens_the_door() -> None:
    _door[0].set()


@workflow.defn
async def one_waits_for_one_behind_it() -> str:
    results: tuple[str, None] = await asyncio.gather(waits_for_the_door(None), opens_the_door())
    return results[0]


def test_one_that_waits_does_not_hold_up_what_is_behind_it(serve: Serve) -> None:
    async def test() -> None:
        activities = [waits_for_the_door, opens_the_door]
        async with serve([one_waits_for_one_behind_it], activities) as client:
            for _ in range(2):
                # At the first round nobody knows that it waits.
                _door[0].clear()
                result = await client.execute_workflow(one_waits_for_one_behind_it)
                assert result == "waits_for_the_door"

    run(test)


@workflow.defn
async def waits_too_long() -> str:
    return await waits_for_the_door(0.01)


def test_a_timeout_inside_an_activity_in_line_ends_its_wait(serve: Serve) -> None:
    async def test() -> None:
        async with serve([waits_too_long], [waits_for_the_door]) as client:
            assert await client.execute_workflow(waits_too_long) == "too late"

    run(test)


@workflow.defn
async def gives_up() -> str:
    try:
        async with asyncio.timeout(0.05):
            return await waits_for_the_door(None)
    except TimeoutError:
        return "given up"


def test_a_cancel_reaches_the_first_activity_that_waits_in_line(serve: Serve) -> None:
    async def test() -> None:
        async with serve([gives_up], [waits_for_the_door]) as client:
            assert await client.execute_workflow(gives_up) == "given up"
        assert _found == ["cancelled"]

    run(test)


@activity.defn
async def takes_its_task_back() -> str:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    return "done before the cancel came"


@activity.defn
async def gives_way() -> str:
    await asyncio.sleep(0)
    return "undisturbed"


@workflow.defn
async def one_waits_behind_one_that_cancels_its_task() -> list[str]:
    return list(await asyncio.gather(takes_its_task_back(), gives_way()))


def test_a_cancel_that_one_asks_of_itself_does_not_hit_the_next(serve: Serve) -> None:
    async def test() -> None:
        activities = [takes_its_task_back, gives_way]
        async with serve([one_waits_behind_one_that_cancels_its_task], activities) as client:
            results = await client.execute_workflow(one_waits_behind_one_that_cancels_its_task)
        assert results == ["done before the cancel came", "undisturbed"]

    run(test)
