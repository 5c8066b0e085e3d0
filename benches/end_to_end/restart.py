"""How soon an engine is ready over a store of 10,000 sleeping runs of 100 steps each."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benches.end_to_end import workflows
from benches.end_to_end.figures import report, scratch_folder
from benches.end_to_end.serving import serve, until_asleep

_RUNS = 10_000
_STEPS = 100
_AT_ONCE = 500


def main() -> None:
    """The store is made in memory: what is read at a restart is in the page cache either way."""
    with scratch_folder() as folder:
        asyncio.run(_fill(folder))
        report("restart_10000_sleeping_ready_s", min(asyncio.run(_ready_s(folder)) for _ in "123"))


async def _fill(folder: Path) -> None:
    options = {"max_concurrent_activities": _AT_ONCE, "max_cached_workflows": _AT_ONCE}
    async with serve(folder, [workflows.sleeps], [workflows.increment], **options) as client:
        for _ in range(0, _RUNS, _AT_ONCE):
            handles = [
                await client.start_workflow(workflows.sleeps, _STEPS) for _ in range(_AT_ONCE)
            ]
            await until_asleep(handles, _STEPS)


async def _ready_s(folder: Path) -> float:
    """Until a new run has gone through: opening, re-arming 10,000 timers, and answering."""
    started = time.perf_counter()
    async with serve(folder, [workflows.sleeps, workflows.empty]) as client:
        await client.execute_workflow(workflows.empty)
        return time.perf_counter() - started


if __name__ == "__main__":
    main()
