"""500 runs of 10 steps at once: how far runs share syncs, and how long a run then takes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benches.end_to_end import workflows
from benches.end_to_end.figures import percentile, report, settings, store_folder
from benches.end_to_end.serving import serve
from perdure import Client

_RUNS = 500
_STEPS = 10


def main() -> None:
    """The best round's rate, and its own 99th percentile."""
    chosen = settings()
    with store_folder() as folder:
        asyncio.run(_measure(folder, rounds=3 if chosen.fast else 15))


async def _measure(folder: Path, *, rounds: int) -> None:
    best_s, best_p99_s = float("inf"), float("inf")
    options = {"max_concurrent_activities": _RUNS}
    async with serve(folder, [workflows.sequential], [workflows.increment], **options) as client:
        for _ in range(rounds):
            started = time.perf_counter()
            times = await asyncio.gather(*(_one(client) for _ in range(_RUNS)))
            took = time.perf_counter() - started
            if took < best_s:
                best_s, best_p99_s = took, percentile(times, 99)
    report("concurrent_500x10_steps_per_s", _RUNS * _STEPS / best_s)
    report("concurrent_500x10_p99_ms", best_p99_s * 1_000)


async def _one(client: Client) -> float:
    started = time.perf_counter()
    await client.execute_workflow(workflows.sequential, _STEPS)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
