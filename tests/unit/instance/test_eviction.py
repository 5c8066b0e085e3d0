"""A run that leaves the cache issues nothing, logs nothing, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from perdure.errors import RunEvicted
from perdure.instance._eviction import evict, leaked_coroutines
from tests.unit.instance.loops import Run


class Resource:
    """Something that workflow code holds; weakly referenced by the test."""


def parked(run: Run, coroutine: Any) -> asyncio.Task[Any]:
    task = run.start(coroutine)
    run.loop.run_until_idle()
    return task


def test_finally_blocks_run_newest_task_first_and_issue_no_command() -> None:
    run = Run()
    seen: list[Any] = []

    async def child(name: str) -> None:
        try:
            await asyncio.sleep(100)
        finally:
            seen.append(name)

    async def main() -> None:
        tasks = [asyncio.create_task(child(name)) for name in "abc"]
        try:
            await asyncio.gather(*tasks)
        finally:
            seen.append("main")

    parked(run, main())
    before = list(run.timers.commands)
    assert evict(run.loop) == 0
    assert seen == ["c", "b", "a", "main"]
    assert run.timers.commands == before


@pytest.mark.parametrize("verb", ["sleep", "create_task", "future", "call_later", "timeout"])
def test_every_verb_raises_run_evicted(verb: str) -> None:
    run = Run()
    seen: list[Any] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(100)
        finally:
            try:
                match verb:
                    case "sleep":
                        await asyncio.sleep(1)
                    case "create_task":
                        coroutine = asyncio.sleep(1)
                        try:
                            asyncio.create_task(coroutine)  # noqa: RUF006
                        finally:
                            coroutine.close()
                    case "future":
                        loop.create_future()
                    case "call_later":
                        loop.call_later(1, print)
                    case _:
                        async with asyncio.timeout(1):
                            seen.append("entered")
            except BaseException as error:
                seen.append(type(error))
                raise

    parked(run, main())
    before = list(run.timers.commands)
    assert evict(run.loop) == 0
    assert seen == [RunEvicted]
    assert run.timers.commands == before


def test_an_evicted_run_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> None:
        raise ValueError("nobody asked")

    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        task = asyncio.create_task(fails())
        group = asyncio.TaskGroup()
        async with group:
            group.create_task(asyncio.sleep(50))
            await asyncio.sleep(100)
        del task

    with caplog.at_level(logging.DEBUG):
        run = Run()
        task = parked(run, main())
        caplog.clear()
        evict(run.loop)
        del run, task
        gc.collect()
    assert caplog.records == []


def test_a_task_that_never_began_is_closed_in_silence() -> None:
    run = Run()

    async def main() -> None:
        raise AssertionError("must not begin")

    task = run.start(main())
    assert evict(run.loop) == 0
    del run, task


def _shapes() -> dict[str, Any]:
    async def sleeping(resource: Resource) -> None:
        await asyncio.sleep(100)

    async def gathering(resource: Resource) -> None:
        await asyncio.gather(*(sleeping(resource) for _ in range(3)))

    async def grouping(resource: Resource) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sleeping(resource))
            group.create_task(gathering(resource))

    async def shielded(resource: Resource) -> None:
        async with asyncio.timeout(50):
            await asyncio.shield(asyncio.ensure_future(sleeping(resource)))

    async def waiting(resource: Resource) -> None:
        tasks = [asyncio.ensure_future(sleeping(resource)) for _ in range(2)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def locked(resource: Resource) -> None:
        lock = asyncio.Lock()
        async with lock:
            await asyncio.wait_for(lock.acquire(), 60)

    async def queued(resource: Resource) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        await asyncio.gather(queue.get(), queue.get())

    async def generating(resource: Resource) -> None:
        async def numbers() -> AsyncGenerator[Resource]:
            try:
                while True:
                    yield resource
                    await asyncio.sleep(100)
            finally:
                await asyncio.sleep(1)

        async for _number in numbers():
            pass

    async def completing(resource: Resource) -> None:
        for each in asyncio.as_completed([sleeping(resource), sleeping(resource)], timeout=70):
            await each

    async def after_an_error(resource: Resource) -> None:
        try:
            await asyncio.wait_for(sleeping(resource), 0.001)
        except TimeoutError:
            await sleeping(resource)

    shapes: tuple[Any, ...] = (
        sleeping, gathering, grouping, shielded, waiting, locked, queued, generating, completing,
        after_an_error,
    )  # fmt: skip
    return {shape.__name__: shape for shape in shapes}


@pytest.mark.parametrize("name", sorted(_shapes()))
def test_eviction_frees_everything_without_the_collector(name: str) -> None:
    shape = _shapes()[name]
    gc.collect()
    gc.disable()
    try:
        run = Run()
        resource = Resource()
        task = parked(run, shape(resource))
        if name == "after_an_error":
            run.fire_next()
            run.loop.run_until_idle()
        assert not task.done()
        things: list[Any] = [resource, run.loop, task]
        watched = [weakref.ref(thing) for thing in things]
        del things
        assert evict(run.loop) == 0
        del run, task, resource
        assert [reference() for reference in watched] == [None, None, None]
    finally:
        gc.enable()


def test_ten_thousand_evictions_leave_no_object_behind() -> None:
    shapes = list(_shapes().values())
    watched: list[weakref.ref[Any]] = []
    gc.collect()
    before = len(gc.get_objects())
    for number in range(10_000):
        run = Run()
        resource = Resource()
        parked(run, shapes[number % len(shapes)](resource))
        watched += [weakref.ref(resource), weakref.ref(run.loop)]
        assert evict(run.loop) == 0
        del run, resource
    assert sum(reference() is not None for reference in watched) == 0
    watched.clear()
    gc.collect()
    assert len(gc.get_objects()) - before < 100
    # Renamed in Python 3.12.
    names = ("_all_tasks", "_scheduled_tasks")
    registries = [getattr(asyncio.tasks, name) for name in names if hasattr(asyncio.tasks, name)]
    assert [len(registry) for registry in registries] == [0]


def test_a_coroutine_that_resists_is_leaked_counted_and_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stubborn(limit: list[int]) -> None:
        future = asyncio.get_running_loop().create_future()
        while limit:
            try:
                await future
            except BaseException:
                pass

    before = leaked_coroutines()
    limits: list[list[int]] = []
    with caplog.at_level(logging.WARNING, "perdure.workflow"):
        for _ in range(3):
            run = Run()
            limit = [1]
            limits.append(limit)
            parked(run, stubborn(limit))
            assert evict(run.loop) == 1
    assert leaked_coroutines() == before + 3
    assert len([record for record in caplog.records if "would not end" in record.message]) == 1
    for limit in limits:
        limit.clear()


def test_what_a_finally_block_logs_at_eviction_is_muted_and_other_logging_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("shop.orders")
    run = Run()

    async def main() -> None:
        log.warning("begun")
        try:
            await asyncio.sleep(100)
        finally:
            log.warning("cleaning up")

    parked(run, main())
    assert evict(run.loop) == 0
    log.warning("after")
    assert [record.getMessage() for record in caplog.records] == ["begun", "after"]
