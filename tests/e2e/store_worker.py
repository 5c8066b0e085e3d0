"""A worker or a client in a process of its own, for tests of ownership and of bad input.

`python store_worker.py serve|serve_briefly|client FOLDER`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from perdure import Client, RetryPolicy, Worker, activity, workflow
from perdure.errors import WorkflowFailureError

QUICK = RetryPolicy(
    initial_interval=timedelta(milliseconds=1), maximum_interval=timedelta(milliseconds=5)
)
BRIEF = timedelta(milliseconds=100)
STEP_BYTES = 4_096
STEPS = 200


def note(folder: Path, line: str) -> None:
    """Leaves one line in the folder's `notes`, for the test to read."""
    descriptor = os.open(folder / "notes", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


@activity.defn
async def process_id() -> int:
    return os.getpid()


@workflow.defn
async def who_serves() -> int:
    return await process_id()


@activity.defn(process_pool=True)
def pool_process_id() -> int:
    return os.getpid()


@workflow.defn
async def who_computes() -> int:
    return await pool_process_id()


@activity.defn(retry_policy=QUICK)
async def wait_for_release(folder: str) -> str:
    """Ends when the test has made the file `release`."""
    note(Path(folder), "begun")
    while True:
        if (Path(folder) / "release").exists():
            note(Path(folder), "ended")
            return f"attempt {activity.info().attempt}"
        await asyncio.sleep(0.005)


@workflow.defn
async def waits_for_release(folder: str) -> str:
    return await wait_for_release(folder)


@activity.defn(retry_policy=QUICK)
async def write_down(folder: str, number: int) -> bytes:
    note(Path(folder), str(number))
    return bytes([number % 256]) * STEP_BYTES


@workflow.defn
async def fills_the_disk(folder: str) -> int:
    total = 0
    for number in range(STEPS):
        total += sum(await write_down(folder, number))
    return total


@workflow.defn
async def sleeps() -> str:
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        return f"cancelled in {await process_id()}"
    return "never"


WORKFLOWS = [who_serves, who_computes, waits_for_release, fills_the_disk, sleeps]
ACTIVITIES: list[Any] = [process_id, pool_process_id, wait_for_release, write_down]


async def serve(folder: Path, shutdown: timedelta) -> None:
    """Serves until SIGTERM; says when it serves and when it waits."""
    client = await Client.connect(f"file:{folder / 'app.db'}")
    worker = Worker(
        client,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        graceful_shutdown_timeout=shutdown,
    )
    serving = asyncio.ensure_future(worker.run())
    while True:
        if worker.is_serving or worker.is_standby or serving.done():
            break
        await asyncio.sleep(0.005)
    print("serving" if worker.is_serving else "standby", flush=True)
    await serving


async def ask(folder: Path) -> None:
    """Starts, awaits and cancels runs of a worker in another process."""
    client = await Client.connect(f"file:{folder / 'app.db'}")
    answer: dict[str, Any] = {"served_by": await client.execute_workflow(who_serves)}
    handle = await client.start_workflow(sleeps, id="asleep")
    await handle.cancel("enough")
    answer["cancelled"] = await handle.result()
    second = await client.start_workflow(sleeps, id="ended")
    await second.terminate("by hand")
    try:
        await second.result()
    except WorkflowFailureError as error:
        answer["terminated"] = error.status
    answer["runs"] = [each.workflow_id async for each in client.list_workflows()][:2]
    print(json.dumps(answer), flush=True)


async def main(verb: str, folder: Path) -> None:
    if verb == "client":
        await ask(folder)
    else:
        await serve(folder, BRIEF if verb == "serve_briefly" else timedelta(seconds=10))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
