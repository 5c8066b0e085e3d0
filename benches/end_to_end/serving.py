"""A worker on a store of its own, for figures that need the whole engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from benches.end_to_end import workflows
from perdure import Client, Worker
from perdure._core import _native
from perdure.client import WorkflowHandle
from perdure.client._address import store_path

__all__ = ["recorded_history", "serve", "sleeping_history", "until_asleep"]

_LOOK_AGAIN_S = 0.02


@contextlib.asynccontextmanager
async def serve(
    folder: Path, workflows: Sequence[Any], activities: Sequence[Any] = (), **options: Any
) -> AsyncGenerator[Client]:
    """Serves workflows and activities on the store of a folder; gives a client of it."""
    client = await Client.connect(_address(folder))
    async with Worker(client, workflows=workflows, activities=activities, **options):
        yield client


async def until_asleep(handles: Sequence[WorkflowHandle[Any]], steps: int) -> None:
    """Waits until runs of `workflows.sleeps` have nothing left to do but to sleep."""
    length = workflows.sleeping_length(steps)
    for handle in handles:
        # Nobody is told when a run falls asleep.
        while (await handle.describe()).history_length < length:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_S)


async def sleeping_history(folder: Path, steps: int) -> _native.RecordedHistory:
    """The history of a run that sleeps after so many steps."""
    async with serve(folder, [workflows.sleeps], [workflows.increment]) as client:
        handle = await client.start_workflow(workflows.sleeps, steps)
        await until_asleep([handle], steps)
        return _recorded(folder, handle)


async def recorded_history(
    folder: Path, workflow: Any, *arguments: Any, activities: Sequence[Any]
) -> _native.RecordedHistory:
    """Runs a workflow to its end and gives its history as it is stored."""
    async with serve(folder, [workflow], activities) as client:
        handle = await client.start_workflow(workflow, *arguments)
        await handle.result()
        return _recorded(folder, handle)


def _recorded(folder: Path, handle: WorkflowHandle[Any]) -> _native.RecordedHistory:
    reader = _native.StoreReader(store_path(_address(folder)))
    return reader.recorded(bytes.fromhex(handle.run_id.replace("-", "")))


def _address(folder: Path) -> str:
    return f"file:{folder / 'bench.db'}"
