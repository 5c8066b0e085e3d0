"""How soon a filtered list, and a count, come from among 100,000 runs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benches.end_to_end import workflows
from benches.end_to_end.figures import percentile, report, scratch_folder
from benches.end_to_end.serving import serve
from perdure import Client

_RUNS = 100_000
_AT_ONCE = 1_000
_CUSTOMERS = 1_000
_ROUNDS = 21
_QUERY = 'WorkflowType = "empty" AND Status = "Completed" AND CustomerId = "42"'
_FOUND = _RUNS // _CUSTOMERS


def main() -> None:
    """The store is made in memory: what is searched is in the page cache either way."""
    with scratch_folder() as folder:
        asyncio.run(_measure(folder))


async def _measure(folder: Path) -> None:
    async with serve(folder, [workflows.empty], max_cached_workflows=_AT_ONCE) as client:
        for begun in range(0, _RUNS, _AT_ONCE):
            await asyncio.gather(*(_run(client, begun + each) for each in range(_AT_ONCE)))
        listed: list[float] = []
        counted: list[float] = []
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            query = f"{_QUERY} ORDER BY StartTime DESC"
            found = [run async for run in client.list_workflows(query, limit=_FOUND)]
            listed.append((time.perf_counter() - started) * 1e3)
            started = time.perf_counter()
            count = await client.count_workflows(_QUERY)
            counted.append((time.perf_counter() - started) * 1e3)
            # The answer must be right before it is fast.
            assert len(found) == count == _FOUND
    report("list_filtered_100000_runs_ms", percentile(listed, 50))
    report("count_filtered_100000_runs_ms", percentile(counted, 50))


async def _run(client: Client, number: int) -> None:
    customer = str(number % _CUSTOMERS)
    await client.execute_workflow(workflows.empty, search_attributes={"CustomerId": customer})


if __name__ == "__main__":
    main()
