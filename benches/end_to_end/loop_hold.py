"""How long one slice keeps the host's loop: under load, under syncs, and in a long replay.

A slice is one callback in which the host pumps and steps runs, or works off activities in line.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from benches.end_to_end import workflows
from benches.end_to_end.figures import percentile, report, settings, store_folder
from benches.end_to_end.serving import serve, until_asleep
from perdure.errors import WorkflowFailureError
from perdure.worker._host import Host
from perdure.worker._line import Line

_WORKFLOWS = [workflows.sequential, workflows.sleeps]
_ACTIVITIES = [workflows.increment]


def main() -> None:
    """Times every slice from outside; the worst of the three loads' 99th percentiles counts."""
    chosen = settings()
    times: list[float] = []
    _watch(times)
    worst, longest = 0.0, 0.0
    with store_folder() as folder:
        for load in (_concurrent, _sequential, _long_replay):
            times.clear()
            asyncio.run(load(folder, 1_000 if chosen.fast else 10_000))
            worst = max(worst, percentile(times, 99))
            longest = max(longest, *times)
    report("host_loop_hold_p99_ms", worst * 1_000)
    report("host_loop_hold_max_ms", longest * 1_000)


def _watch(times: list[float]) -> None:
    handle_class: Any = asyncio.Handle
    run = handle_class._run

    def timed(handle: Any) -> None:
        if not _is_slice(handle._callback):
            run(handle)
            return
        started = time.perf_counter()
        run(handle)
        times.append(time.perf_counter() - started)

    handle_class._run = timed


def _is_slice(callback: Any) -> bool:
    owner: Any = getattr(callback, "__self__", None)
    coroutine: Any = owner.get_coro() if hasattr(owner, "get_coro") else None
    return isinstance(owner, Host) or getattr(coroutine, "cr_code", None) is Line._work.__code__


async def _concurrent(folder: Path, steps: int) -> None:
    """Bursts of 500 runs of 10 steps: enough of them that a percentile is one."""
    async with serve(folder, _WORKFLOWS, _ACTIVITIES) as client:
        for _ in range(max(3, steps // 1_000)):
            await asyncio.gather(
                *(client.execute_workflow(workflows.sequential, 10) for _ in range(500))
            )


async def _sequential(folder: Path, steps: int) -> None:
    async with serve(folder, _WORKFLOWS, _ACTIVITIES) as client:
        await client.execute_workflow(workflows.sequential, steps)


async def _long_replay(folder: Path, steps: int) -> None:
    """A run of many steps that sleeps across a restart and is replayed for a cancel."""
    async with serve(folder, _WORKFLOWS, _ACTIVITIES) as client:
        handle = await client.start_workflow(workflows.sleeps, steps)
        await until_asleep([handle], steps)
    async with serve(folder, _WORKFLOWS, _ACTIVITIES):
        await handle.cancel()
        with contextlib.suppress(WorkflowFailureError):
            await handle.result()


if __name__ == "__main__":
    main()
