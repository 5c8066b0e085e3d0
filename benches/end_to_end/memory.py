"""What a live run weighs beyond its own coroutine, and what evictions leave behind."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from pathlib import Path
from typing import Any

from benches.end_to_end import workflows
from benches.end_to_end.figures import report, scratch_folder, settings
from benches.end_to_end.serving import serve, sleeping_history, until_asleep
from perdure.instance._replay import replay
from perdure.workflow._definition import definition_of

_PAGE = os.sysconf("SC_PAGE_SIZE")
_STEPS = 3


def main() -> None:
    """Runs that sleep after a few steps, live in the cache; then replayed and evicted."""
    chosen = settings()
    runs = 1_000 if chosen.fast else 4_000
    with scratch_folder() as folder:
        report("live_run_overhead_kib", asyncio.run(_overhead_kib(folder, runs)))
    evictions = 1_000 if chosen.fast else 10_000
    with scratch_folder() as folder:
        report("evictions_left_objects", asyncio.run(_left_objects(folder, evictions)))


async def _overhead_kib(folder: Path, runs: int) -> float:
    async with serve(folder, [workflows.sleeps], [workflows.increment]) as client:

        async def live(count: int) -> None:
            handles = [await client.start_workflow(workflows.sleeps, _STEPS) for _ in range(count)]
            await until_asleep(handles, _STEPS)

        # What the first runs make is made once: caches, buffers of the store, thread pools.
        await live(runs // 2)
        before = _resident()
        await live(runs)
        with_runs = _resident() - before
    return (with_runs - await _coroutines(runs)) / runs / 1024


async def _coroutines(count: int) -> int:
    """What as many tasks of plain asyncio take, waiting in the same way."""

    async def waits(future: asyncio.Future[None]) -> None:
        await future

    loop = asyncio.get_running_loop()
    gc.collect()
    before = _resident()
    tasks = [loop.create_task(waits(loop.create_future())) for _ in range(count)]
    await asyncio.sleep(0)
    taken = _resident() - before
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return taken


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


async def _left_objects(folder: Path, evictions: int) -> int:
    history = await sleeping_history(folder, _STEPS)
    definition = definition_of(workflows.sleeps)
    definitions = {definition.name: definition}
    alive: list[weakref.ref[Any]] = []
    for _ in range(evictions):
        instance = replay(history, definitions)
        tasks: list[Any] = instance.loop.tasks()
        watched: list[Any] = [instance, instance.loop, *tasks]
        watched += [task.get_coro() for task in tasks]
        alive += [weakref.ref(each) for each in watched]
        instance.evict()
        del instance, tasks, watched
    gc.collect()
    return sum(each() is not None for each in alive)


if __name__ == "__main__":
    main()
