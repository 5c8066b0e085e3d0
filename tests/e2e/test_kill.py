"""kill -9 of the engine at many seeded random points: nothing recorded is lost or run again."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from perdure import Client
from tests.e2e.kill_worker import WORKFLOW_ID, effects_file, expected

PROGRAM = Path(__file__).with_name("kill_worker.py")
KILLS = int(os.environ.get("PERDURE_KILLS", "200"))
SEED = int(os.environ.get("PERDURE_SEED", "20261123"))
LIMIT_SECONDS = 60.0
"""The longest one life of the program may go on without a step."""


def _lines(folder: Path) -> int:
    file = effects_file(folder)
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _live_and_die(folder: Path, chance: random.Random, how: str) -> bool:
    """Starts the program, kills it after a random number of steps; True when it ended first."""
    process = subprocess.Popen([sys.executable, PROGRAM, folder, how])
    goal = _lines(folder) + chance.choice([1, 1, 2, 3, 5, 8, 13])
    pause = chance.random() * 0.003
    deadline = time.monotonic() + LIMIT_SECONDS
    while process.poll() is None and _lines(folder) < goal:
        assert time.monotonic() < deadline, f"no step for {LIMIT_SECONDS} s (seed {SEED})"
        time.sleep(0.001)
    # A little later, so that kills fall between the step and its commit too.
    time.sleep(pause)
    if process.poll() is not None:
        assert process.returncode == 0, f"the program failed by itself (seed {SEED})"
        return True
    process.kill()
    process.wait()
    return False


async def _result_and_history(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    client = await Client.connect(f"file:{folder / 'app.db'}")
    handle = await client.get_workflow_handle(WORKFLOW_ID)
    entries = [json.loads(line) for line in (await handle.fetch_history()).splitlines()]
    return (await handle.describe()).status, entries


@pytest.mark.parametrize(("how", "wanted"), [("activities", KILLS), ("local", KILLS // 10)])
def test_j3_b9_kill_the_engine_at_random_points(tmp_path: Path, how: str, wanted: int) -> None:
    chance = random.Random(SEED)
    kills = 0
    while not _live_and_die(tmp_path, chance, how):
        kills += 1
        if kills == wanted:
            subprocess.run([sys.executable, PROGRAM, tmp_path, how], check=True, timeout=300)
            break
    status, entries = asyncio.run(_result_and_history(tmp_path))
    records = [entry for entry in entries if "n" in entry]
    print(f"{kills} kills, {len(records)} records, seed {SEED}")
    assert kills == wanted, "the run ended before it was killed often enough: more rounds"
    assert status == "completed"
    assert [record["n"] for record in records] == list(range(1, len(records) + 1))
    commands = {each["n"]: each["command"] for each in records if "command" in each}
    result = records[-1]["command"]
    assert (result["kind"], result["result"]["value"]) == ("complete_run", expected())
    _check_steps(tmp_path, records, commands)


def _step_of(command: dict[str, Any]) -> str:
    """Its name: the second argument of the activity, or what `workflow.step` was given."""
    arguments = command["arguments"]["value"]
    return str(arguments[1] if arguments else command["name"])


def _check_steps(
    folder: Path, records: list[dict[str, Any]], commands: dict[int, dict[str, Any]]
) -> None:
    recorded_at: dict[str, int] = {}
    completions: Counter[int] = Counter()
    for record in records:
        event = record.get("event", {})
        if event.get("kind") == "activity_completed":
            completions[event["command_n"]] += 1
            name = _step_of(commands[event["command_n"]])
            recorded_at[name] = record["at_us"]
            assert event["result"]["value"] == len(name)
    scheduled = [n for n, each in commands.items() if each["kind"] == "schedule_activity"]
    assert completions == Counter(scheduled), "each command has one completion"
    runs: Counter[str] = Counter()
    for line in effects_file(folder).read_text().splitlines():
        name, ran_at_us = line.split()
        runs[name] += 1
        assert int(ran_at_us) <= recorded_at[name], f"{name} ran again after it was recorded"
    assert set(runs) == set(recorded_at)
    print(f"{sum(runs.values()) - len(runs)} attempts ran again of {len(runs)} steps")
