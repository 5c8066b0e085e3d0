"""The program that `test_kill_family.py` kills: updates, children, schedules, runs that go on.

`python family_worker.py FOLDER` serves the store in the folder, or stands by until it can.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from perdure import Client, RetryPolicy, Worker, activity, workflow
from perdure.errors import ChildWorkflowError

UPDATES_PER_RUN = 12
"""After so many the ledger goes on in another run."""
WIDTH = 3
_QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=1), maximum_interval=timedelta(milliseconds=5)
)


def effects_file(folder: Path) -> Path:
    """Where each attempt of an activity leaves one line: what it was for."""
    return folder / "effects"


def note(folder: Path, line: str) -> None:
    """Leaves one line, whole or not at all."""
    descriptor = os.open(effects_file(folder), os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


@activity.defn(retry_policy=_QUICK)
async def step(folder: str, name: str) -> int:
    note(Path(folder), name)
    return len(name)


@workflow.defn
class Ledger:
    """Takes entries by updates, and goes on in another run after some of them."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self.taken = 0
        self.closed = False

    @workflow.run
    async def run(self, folder: str, entries: list[str]) -> list[str]:
        self.folder = folder
        self.entries = [*entries, *self.entries]
        await workflow.wait_condition(lambda: self.closed or self.taken >= UPDATES_PER_RUN)
        await workflow.wait_condition(workflow.all_handlers_finished)
        if not self.closed:
            workflow.continue_as_new(folder, self.entries)
        return self.entries

    @workflow.update
    async def add(self, name: str) -> str:
        self.taken += 1
        await step(self.folder, name)
        self.entries.append(name)
        return name

    @workflow.signal
    def close(self) -> None:
        self.closed = True


@workflow.defn
class Child:
    """Ends when its parent has told it twice, once after its step."""

    def __init__(self) -> None:
        self.told: list[int] = []

    @workflow.run
    async def run(self, folder: str, name: str) -> list[int]:
        length = await step(folder, name)
        await workflow.wait_condition(lambda: len(self.told) == 2)
        return [length, *self.told]

    @workflow.signal
    def tell(self, number: int) -> None:
        self.told.append(number)


@workflow.defn
async def parent(folder: str, name: str) -> list[list[int]]:
    async def raises(number: int) -> list[int]:
        child = await workflow.start_child_workflow(
            Child.run, folder, f"{name}-{number}", id=f"child-{name}-{number}"
        )
        await child.signal(Child.tell, 1)
        await child.signal(Child.tell, 2)
        return await child

    results = await asyncio.gather(*(raises(number) for number in range(WIDTH)))
    try:
        # Its id is free again: a child that was doubled would be found here.
        await workflow.execute_child_workflow(tick, folder, f"{name}-last", id=f"tick-{name}")
    except ChildWorkflowError as error:
        return [[], [len(str(error))]]
    return results


@workflow.defn
async def tick(folder: str, name: str) -> None:
    await step(folder, f"tick-{name or workflow.info().workflow_id}")


WORKFLOWS = (Ledger, Child, parent, tick)


async def main(folder: Path) -> None:
    client = await Client.connect(f"file:{folder / 'app.db'}")
    async with Worker(client, workflows=WORKFLOWS, activities=[step]):
        note(folder, f"serves {os.getpid()}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
