"""kill -9 of the engine while a run is reset, again and again: one run is open, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

from perdure import Client
from tests.e2e.reset_worker import Gate

ROUNDS = int(os.environ.get("PERDURE_RESET_KILLS", "8"))
SEED = int(os.environ.get("PERDURE_SEED", "20261125"))
ROOT = Path(__file__).resolve().parents[2]
LIMIT_SECONDS = 120.0


def _serve(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.reset_worker", folder],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


async def _reset_under_fire(folder: Path) -> tuple[list[str], list[str]]:
    """What the last run gives, and how each of the runs stands."""
    chance = random.Random(SEED)
    server = await asyncio.to_thread(_serve, folder)
    try:
        client = await Client.connect(f"file:{folder / 'app.db'}")
        handle = await client.start_workflow(Gate.run, str(folder / "notes"), id="gate")
        for text in ("one", "two", "three"):
            await handle.signal(Gate.tell, text)
        for _ in range(ROUNDS):
            asked = asyncio.create_task(handle.reset("first"))
            # So that kills fall before, between and after its writes.
            await asyncio.wait([asked], timeout=chance.random() * 0.02)
            _kill(server)
            server = await asyncio.to_thread(_serve, folder)
            # It is asked again under the same id until it is answered.
            handle = await asked
        await handle.signal(Gate.tell, "go")
        result = await handle.result()
        statuses = [run.status async for run in client.list_workflows()]
    finally:
        _kill(server)
    return result, statuses


def test_kill_the_engine_while_a_run_is_reset(tmp_path: Path) -> None:
    scenario = asyncio.wait_for(_reset_under_fire(tmp_path), LIMIT_SECONDS)
    result, statuses = asyncio.run(scenario)
    assert result == ["first", "one", "two", "three", "go", "second"]
    assert statuses == ["completed"] + ["terminated"] * ROUNDS
    notes = (tmp_path / "notes").read_text().split("\n")[:-1]
    # A reset does a step again under the key that it had, however often it is killed.
    assert len(set(notes)) == 2, notes
