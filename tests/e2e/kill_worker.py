"""The program that `test_kill.py` kills: one run, sequential steps, fan-outs and timers.

Its steps are activities, or local ones by turns with `workflow.step`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from perdure import Client, RetryPolicy, Worker, activity, workflow
from perdure.errors import WorkflowAlreadyStartedError

ROUNDS = 300
WIDTH = 4
WORKFLOW_ID = "ledger"
_QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=1), maximum_interval=timedelta(milliseconds=5)
)


def effects_file(folder: Path) -> Path:
    """Where each attempt of a step leaves one line: the step and when it ran."""
    return folder / "effects"


@activity.defn(retry_policy=_QUICK)
async def step(folder: str, name: str) -> int:
    line = f"{name} {time.time_ns() // 1_000}\n"
    descriptor = os.open(effects_file(Path(folder)), os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    return len(name)


def _call(how: str, folder: str, name: str) -> Coroutine[Any, Any, int]:
    if how == "activities":
        return step(folder, name)
    if name.endswith("3"):
        return workflow.step(lambda: step.fn(folder, name), name=name)
    return workflow.execute_local_activity(step, folder, name)


@workflow.defn
async def ledger(folder: str, rounds: int, how: str) -> list[int]:
    totals: list[int] = []
    for number in range(rounds):
        total = await _call(how, folder, f"one-{number}")
        total += sum(
            await asyncio.gather(
                *(_call(how, folder, f"many-{number}-{each}") for each in range(WIDTH))
            )
        )
        if number % 10 == 0:
            await asyncio.sleep(0.002)
        totals.append(total)
    return totals


def expected() -> list[int]:
    """What the run returns, however often it is killed."""
    return [
        len(f"one-{number}") + sum(len(f"many-{number}-{each}") for each in range(WIDTH))
        for number in range(ROUNDS)
    ]


async def main(folder: Path, how: str) -> None:
    client = await Client.connect(f"file:{folder / 'app.db'}")
    async with Worker(client, workflows=[ledger], activities=[step]):
        try:
            handle = await client.start_workflow(ledger, str(folder), ROUNDS, how, id=WORKFLOW_ID)
        except WorkflowAlreadyStartedError:
            handle = await client.get_workflow_handle(WORKFLOW_ID)
        await handle.result()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
