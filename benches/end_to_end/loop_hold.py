"""How long one slice keeps the host's loop: under load, under syncs, and in a long replay."""

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

_WORKFLOWS = [workflows.sequential, workflows.sleeps]
_ACTIVITIES = [workflows.increment]


def main() -> None:
    """Times every slice from outside; the worst of the three loads' 99th percentiles counts."""
    chosen = settings()
    times: list[float] = []
    _watch(times)
    worst = 0.0
    with store_folder() as folder:
        for load in (_concurrent, _sequential, _long_replay):
            times.clear()
            asyncio.run(load(folder, 1_000 if chosen.fast else 10_000))
            worst = max(worst, percentile(times, 99))
    report("host_loop_hold_p99_ms", worst * 1_000)


def _watch(times: list[float]) -> None:
    slice_of: Any = Host.__dict__["_run"]

    def timed(host: Host) -> None:
        started = time.perf_counter()
        slice_of(host)
        times.append(time.perf_counter() - started)

    type.__setattr__(Host, "_run", timed)


async def _concurrent(folder: Path, _steps: int) -> None:
    async with serve(folder, _WORKFLOWS, _ACTIVITIES) as client:
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
