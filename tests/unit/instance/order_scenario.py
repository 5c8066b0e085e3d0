"""Run in fresh processes by test_creation_order: prints the orders that workflow code sees."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from typing import Any

from perdure.instance._determinism import install_determinism
from tests.unit.instance.loops import Log, on_workflow_loop

NAMES = [f"n{i}" for i in range(30)]
chance = random.Random(int(sys.argv[1]))
ballast: list[Any] = []


def scatter() -> None:
    """Moves the next allocation somewhere else."""
    ballast.extend(bytearray(chance.randrange(600)) for _ in range(chance.randrange(8)))
    if len(ballast) > 50:
        del ballast[:: chance.randrange(1, 4)]


async def main(log: Log) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    cancelled: list[str] = []

    async def sleeper(name: str) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise
        return name

    try:
        async with asyncio.TaskGroup() as group:
            for name in NAMES:
                scatter()
                group.create_task(sleeper(name), name=name)
            await asyncio.sleep(1)
            seen["all tasks"] = [task.get_name() for task in asyncio.all_tasks()]
            raise LookupError
    except* LookupError:
        seen["group cancelled"] = cancelled

    def begin(delay: float) -> list[asyncio.Task[str]]:
        tasks: list[asyncio.Task[str]] = []
        for name in NAMES:
            scatter()
            tasks.append(asyncio.create_task(asyncio.sleep(delay, name), name=name))
        return tasks

    tasks = begin(5)
    _done, pending = await asyncio.wait(set(tasks), timeout=1)
    seen["wait pending"] = [task.get_name() for task in pending]
    done, _pending = await asyncio.wait(pending)
    seen["wait done"] = [task.get_name() for task in done]
    seen["completed at once"] = [await each for each in asyncio.as_completed(set(tasks))]

    rounds: list[list[str]] = []
    left: Any = {
        asyncio.create_task(asyncio.sleep(100 - number, name), name=name)
        for number, name in enumerate(NAMES)
    }
    while left:
        finished, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
        rounds.append([task.get_name() for task in finished])
    seen["rounds"] = rounds

    begun: list[str] = []

    async def beginner(name: str) -> None:
        begun.append(name)

    for each in asyncio.as_completed([beginner(name) for name in NAMES]):
        await each
    seen["coroutines begun"] = begun
    return seen


install_determinism()
print(json.dumps(on_workflow_loop(main).result))
