"""Calls of a Go worker, over NATS and over stdio, everything durable."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from benches.end_to_end.figures import ROOT, Settings, report, settings, store_folder
from benches.end_to_end.serving import serve
from perdure import Client, activity, workflow
from perdure.worker import NatsOptions, StdioService
from perdure.worker._nats import start_nats_server

_SERVICE = "conformance"
_WORKER = ROOT / "target" / "bin" / "conformance"
"""Built by `make setup`."""
_WIDTH = 64
_service = activity.service(_SERVICE)


@_service.activity
async def echo(value: int) -> int:
    raise NotImplementedError


@workflow.defn
async def calls(count: int) -> None:
    """One after the other."""
    for number in range(count):
        await echo(number)


@workflow.defn
async def gathered(count: int, width: int) -> None:
    """Waves of calls, all of a wave in flight."""
    for _ in range(count // width):
        await asyncio.gather(*(echo(number) for number in range(width)))


def main() -> None:
    """Both transports, each with one worker process."""
    if not _WORKER.exists():
        sys.exit("the Go worker is not built: run `make setup`")
    chosen = settings()
    with store_folder() as folder:
        services = [StdioService(_SERVICE, [str(_WORKER)])]
        asyncio.run(_measure(folder, "stdio", chosen, services=services))
    with store_folder() as folder, _nats_worker(folder) as nats:
        asyncio.run(_measure(folder, "nats", chosen, nats=nats))


async def _measure(folder: Path, transport: str, chosen: Settings, **options: Any) -> None:
    count = 300 if chosen.fast else 2_000
    rounds = 2 if chosen.fast else 5
    async with serve(folder, [calls, gathered], **options) as client:
        await client.execute_workflow(calls, 100)
        times = [await _sequential_s(client, count // 10) for _ in range(10)]
        report(f"go_{transport}_call_p50_ms", statistics.median(times) * 1_000)
        rates = [await _many_per_s(client, count // 20) for _ in range(rounds)]
        report(f"go_{transport}_64_calls_per_s", max(rates))
        if transport == "nats":
            rates = [await _gathered_per_s(client, count * 2) for _ in range(rounds)]
            report("go_nats_gather64_calls_per_s", max(rates))


async def _sequential_s(client: Client, count: int) -> float:
    started = time.perf_counter()
    await client.execute_workflow(calls, count)
    return (time.perf_counter() - started) / count


async def _many_per_s(client: Client, count: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(client.execute_workflow(calls, count) for _ in range(_WIDTH)))
    return _WIDTH * count / (time.perf_counter() - started)


async def _gathered_per_s(client: Client, count: int) -> float:
    started = time.perf_counter()
    await client.execute_workflow(gathered, count, _WIDTH)
    return count // _WIDTH * _WIDTH / (time.perf_counter() - started)


@contextlib.contextmanager
def _nats_worker(folder: Path) -> Generator[NatsOptions]:
    server = start_nats_server(folder / "nats")
    environment = {**os.environ, "PERDURE_NATS_URL": server.url, "PERDURE_NATS_TOKEN": server.token}
    worker = subprocess.Popen([_WORKER], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield NatsOptions(url=server.url, token=server.token)
    finally:
        worker.terminate()
        worker.wait()
        server.stop()


if __name__ == "__main__":
    main()
