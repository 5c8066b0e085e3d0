"""The program that `test_sessions.py` kills in the middle of a session."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from perdure import Client, Worker, activity, workflow
from perdure.errors import SessionFailedError, WorkflowAlreadyStartedError

WORKFLOW_ID = "moved"


@activity.defn
async def download(folder: str) -> int:
    with (Path(folder) / "began").open("a") as file:
        file.write(f"download {os.getpid()}\n")
    return os.getpid()


@activity.defn
async def convert(folder: str, downloaded_by: int) -> int:
    with (Path(folder) / "began").open("a") as file:
        file.write(f"convert {os.getpid()}\n")
    if (Path(folder) / "killed").exists():
        return downloaded_by
    # Until it is killed.
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


@workflow.defn
async def move(folder: str) -> list[int]:
    failed = 0
    while True:
        try:
            async with workflow.session() as session:
                by = await session.execute_activity(download, folder)
                return [failed, by, await session.execute_activity(convert, folder, by)]
        except SessionFailedError:
            failed += 1


async def main(folder: Path) -> None:
    client = await Client.connect(f"file:{folder / 'app.db'}")
    async with Worker(client, workflows=[move], activities=[download, convert]):
        try:
            handle = await client.start_workflow(move, str(folder), id=WORKFLOW_ID)
        except WorkflowAlreadyStartedError:
            handle = await client.get_workflow_handle(WORKFLOW_ID)
        failed, downloaded_by, converted_by = await handle.result()
        print(failed, downloaded_by == converted_by == os.getpid())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
