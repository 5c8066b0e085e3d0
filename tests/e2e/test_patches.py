"""Which open runs still need a patch: from a store with runs of several releases."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, workflow
from perdure.client import PatchUsage, PatchVerdict, SyncClient
from perdure.errors import EncodeError

SECONDS_MAX = 60.0
NAME = "order"


class Release:
    """What every release has: it ends when told so."""

    def __init__(self) -> None:
        self.is_over = False

    async def wait(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)

    @workflow.signal
    def end(self) -> None:
        self.is_over = True

    @workflow.query
    def begun(self) -> bool:
        return True


@workflow.defn(name=NAME)
class Old(Release):
    @workflow.run
    async def run(self) -> None:
        await self.wait()


@workflow.defn(name=NAME)
class Patched(Release):
    @workflow.run
    async def run(self) -> None:
        workflow.patched("change")
        await self.wait()


@workflow.defn(name=NAME)
class Deprecated(Release):
    @workflow.run
    async def run(self) -> None:
        workflow.deprecate_patch("change")
        await self.wait()


async def begin(client: Client, release: Any, *ids: str) -> None:
    """Runs of this release, which have had their first turn."""
    async with Worker(client, workflows=[release]):
        for name in ids:
            handle = await client.start_workflow(NAME, id=name)
            assert await handle.query("begun")


async def end(client: Client, release: Any, id: str) -> None:
    """Ends a run under its release."""
    async with Worker(client, workflows=[release]):
        handle = await client.get_workflow_handle(id)
        await handle.signal("end")
        await handle.result()


def usage(patched: int, deprecated: int, without: int) -> list[PatchUsage]:
    return [PatchUsage("change", NAME, patched, deprecated, without)]


def test_from_the_old_branch_to_nothing_left(tmp_path: Path) -> None:
    async def life() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        assert await client.patches() == []
        await begin(client, Old, "old")
        assert await client.patches() == []
        await begin(client, Patched, "new-1", "new-2")
        assert await client.patches() == usage(2, 0, 1)
        assert (await client.patches())[0].verdict is PatchVerdict.NEEDED

        await end(client, Patched, "old")
        assert await client.patches() == usage(2, 0, 0)
        assert (await client.patches())[0].verdict is PatchVerdict.SAFE_TO_DEPRECATE

        await begin(client, Deprecated, "last")
        assert (await client.patches())[0].verdict is PatchVerdict.SAFE_TO_DEPRECATE
        for name in ("new-1", "new-2"):
            await end(client, Deprecated, name)
        assert await client.patches() == usage(0, 1, 0)
        assert (await client.patches())[0].verdict is PatchVerdict.SAFE_TO_REMOVE

    asyncio.run(asyncio.wait_for(life(), SECONDS_MAX))


def test_the_command_and_the_client_that_is_not_async_say_the_same(tmp_path: Path) -> None:
    store = f"file:{tmp_path / 'app.db'}"

    async def record() -> None:
        await begin(await Client.connect(store), Patched, "new")

    asyncio.run(asyncio.wait_for(record(), SECONDS_MAX))
    with SyncClient.connect(store) as client:
        assert client.patches("change", workflow_type=NAME) == usage(1, 0, 0)
        assert client.patches("other") == [PatchUsage("other", NAME, 0, 0, 1)]
        assert client.patches("other", workflow_type="gone") == [
            PatchUsage("other", "gone", 0, 0, 0)
        ]
    shown = command("--store", store)
    assert shown.splitlines()[1].split()[:5] == ["change", NAME, "1", "0", "0"]
    assert shown.rstrip().endswith("safe to deprecate")
    fields = {"id": "change", "workflow_type": NAME, "patched": 1, "deprecated": 0, "without": 0}
    assert json.loads(command("change", "--store", store, "-o", "json")) == [
        {**fields, "verdict": "safe to deprecate"}
    ]


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "perdure.cli", "workflow", "patches", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS_MAX,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((0, 0, 1), PatchVerdict.NEEDED),
        ((1, 1, 1), PatchVerdict.NEEDED),
        ((1, 1, 0), PatchVerdict.SAFE_TO_DEPRECATE),
        ((0, 1, 1), PatchVerdict.SAFE_TO_REMOVE),
        ((0, 0, 0), PatchVerdict.SAFE_TO_REMOVE),
    ],
)
def test_the_verdict(counts: tuple[int, int, int], verdict: PatchVerdict) -> None:
    assert usage(*counts)[0].verdict is verdict


def test_open_runs_are_found_by_their_patches_and_ended_ones_are_not(tmp_path: Path) -> None:
    async def life() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        assert await client.patches("change") == [PatchUsage("change", "", 0, 0, 0)]
        await begin(client, Patched, "ended", "terminated", "open")
        await begin(client, Deprecated, "last")
        assert await client.count_workflows('PerdurePatches = "change"') == 3
        await end(client, Patched, "ended")
        async with Worker(client, workflows=[Old]):
            # Its history has not been read by this engine, which knows its patches all the same.
            handle = await client.get_workflow_handle("terminated")
            await handle.terminate()
        found = [run.workflow_id async for run in client.list_workflows('PerdurePatches != ""')]
        assert found == ["open"]
        assert await client.count_workflows('PerdureDeprecatedPatches = "change"') == 1
        assert await client.patches() == usage(1, 1, 0)
        with pytest.raises(EncodeError, match="engine's own"):
            await client.start_workflow(NAME, search_attributes={"PerdurePatches": ["mine"]})

    asyncio.run(asyncio.wait_for(life(), SECONDS_MAX))
