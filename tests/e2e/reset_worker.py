"""A worker to be killed while its run is reset: `python -m tests.e2e.reset_worker FOLDER`."""

from __future__ import annotations

import asyncio
import os
import sys

from perdure import Client, Worker, activity, workflow

__all__ = ["Gate"]


@activity.defn
async def note(file: str, name: str) -> str:
    """Notes under which key the step is done."""
    line = f"{name} {activity.info().idempotency_key}\n"
    descriptor = os.open(file, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)
    return name


@workflow.defn
class Gate:
    """A step, a gate, and another step."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @workflow.run
    async def run(self, file: str) -> list[str]:
        """Gives the steps, and what it was told between them."""
        first = await note(file, "first")
        await workflow.wait_condition(lambda: "go" in self.told)
        return [first, *self.told, await note(file, "second")]

    @workflow.signal
    def tell(self, text: str) -> None:
        """Keeps what it is told."""
        self.told.append(text)


async def main() -> None:
    client = await Client.connect(f"file:{sys.argv[1]}/app.db")
    async with Worker(client, workflows=[Gate], activities=[note]):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
