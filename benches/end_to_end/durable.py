"""One run at a time, everything durable, with the disk's own speed measured in between."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

from benches.end_to_end import workflows
from benches.end_to_end.disk import sync_times_s
from benches.end_to_end.figures import report, settings, store_folder
from benches.end_to_end.serving import serve
from perdure import Client

_WARM_UP_STEPS = 2_000
"""More than a checkpoint's worth of pages, so that what is measured pays for checkpoints too."""


def main() -> None:
    """Rounds of syncs and steps by turns: the disk drifts."""
    chosen = settings()
    with store_folder() as folder:
        asyncio.run(_measure(folder, fast=chosen.fast))


async def _measure(folder: Path, *, fast: bool) -> None:
    rounds, steps, starts = (2, 2_000, 200) if fast else (5, 5_000, 500)
    syncs: list[float] = []
    rates: list[float] = []
    times: list[float] = []
    local_rates: list[float] = []
    served = [workflows.sequential, workflows.local_sequential, workflows.empty]
    async with serve(folder, served, [workflows.increment]) as client:
        await client.execute_workflow(workflows.sequential, _WARM_UP_STEPS)
        for _ in range(rounds):
            syncs += sync_times_s(folder, 1_000)
            rates.append(await _steps_per_s(client, workflows.sequential, steps))
            local_rates.append(await _steps_per_s(client, workflows.local_sequential, steps))
            syncs += sync_times_s(folder, 1_000)
            times += [await _empty_s(client) for _ in range(starts)]
    report("fdatasync_per_s", len(syncs) / sum(syncs))
    report("fdatasync_p50_ms", statistics.median(syncs) * 1_000)
    report("sequential_steps_per_s", max(rates))
    report("local_steps_per_s", max(local_rates))
    report("empty_start_result_p50_ms", statistics.median(times) * 1_000)


async def _steps_per_s(client: Client, sequential: Any, steps: int) -> float:
    started = time.perf_counter()
    await client.execute_workflow(sequential, steps)
    return steps / (time.perf_counter() - started)


async def _empty_s(client: Client) -> float:
    started = time.perf_counter()
    await client.execute_workflow(workflows.empty)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
