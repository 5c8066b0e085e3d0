"""kill -9 of whoever serves a store, at many seeded random points, with runs that tell each other
things: nothing is lost and nothing is done twice (J3, G8)."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client
from perdure.errors import NoWorkerError
from perdure.schedule import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from tests.e2e import family_worker
from tests.e2e.family_worker import WIDTH, Ledger, effects_file, parent, tick

PROGRAM = Path(family_worker.__file__)
SEED = int(os.environ.get("PERDURE_SEED", "20261123"))
KILLS = int(os.environ.get("PERDURE_KILLS", "200"))
LIMIT_SECONDS = float(os.environ.get("PERDURE_KILL_SECONDS", "45"))
"""No further kill after so long: `PERDURE_KILL_SECONDS=3600` for all of them on a slow machine."""
_SERVERS = 3
_SENDERS = 3
_PARENTS = 2
_PROGRESS_SECONDS = 3.0


class Servers:
    """Some processes for one store: one serves it, the others stand by."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes = [self._start() for _ in range(_SERVERS)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, PROGRAM, self._folder])

    def kill(self, chance: random.Random, owner: int | None) -> None:
        """Kills one, mostly the one that serves, and starts another in its place."""
        index = chance.randrange(_SERVERS)
        for number, process in enumerate(self._processes):
            assert process.poll() is None, f"a worker ended by itself (seed {SEED})"
            if process.pid == owner and chance.random() < 0.8:
                index = number
        self._processes[index].kill()
        self._processes[index].wait()
        self._processes[index] = self._start()

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def _lines(folder: Path) -> list[str]:
    file = effects_file(folder)
    return file.read_text().splitlines() if file.exists() else []


async def _persist(ask: Any) -> Any:
    """Asks until an engine lives long enough to answer."""
    while True:
        try:
            return await ask()
        except NoWorkerError:
            continue


class Load:
    """Clients that send updates and start families until they are told to end."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        self.ending = False
        self.sent: list[str] = []
        self.families: list[str] = []

    async def send_updates(self, sender: int) -> None:
        """One after the other, each the same message until it is answered."""
        number = 0
        while not self.ending:
            name = f"entry-{sender}-{number}"
            number += 1
            answer = await _persist(
                lambda name=name: self.client.execute_update_with_start(
                    Ledger.add,
                    name,
                    workflow=Ledger.run,
                    workflow_args=[str(self.folder), []],
                    id="ledger",
                    update_id=name,
                    request_id="ledger-start",
                )
            )
            assert answer == name
            self.sent.append(name)

    async def start_families(self, starter: int) -> None:
        number = 0
        while not self.ending:
            name = f"{starter}.{number}"
            number += 1
            handle = await _persist(
                lambda name=name: self.client.start_workflow(
                    parent, str(self.folder), name, id=f"parent-{name}", request_id=name
                )
            )
            results = await _persist(handle.result)
            assert results == [[len(f"{name}-{each}"), 1, 2] for each in range(WIDTH)]
            self.families.append(name)


async def _kill_for_a_while(folder: Path, client: Client, chance: random.Random) -> int:
    servers, kills, began = Servers(folder), 0, time.monotonic()
    try:
        load = Load(client, folder)
        schedule = Schedule(
            ScheduleActionStartWorkflow(tick, str(folder), "", id="tick"),
            ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(seconds=1))]),
            SchedulePolicy(ScheduleOverlapPolicy.ALLOW_ALL),
        )
        ticking = await _persist(lambda: client.create_schedule("ticking", schedule))
        work = [asyncio.ensure_future(load.send_updates(sender)) for sender in range(_SENDERS)]
        work += [asyncio.ensure_future(load.start_families(each)) for each in range(_PARENTS)]
        while kills < KILLS and time.monotonic() - began < LIMIT_SECONDS:
            await _wait_for_progress(folder, work, chance)
            servers.kill(chance, client.owner_process())
            kills += 1
        load.ending = True
        await asyncio.wait_for(asyncio.gather(*work), 60)
        await asyncio.wait_for(_audit(client, folder, load, ticking), 60)
        done = f"{len(load.sent)} updates, {len(load.families)} families"
        print(f"{kills} kills, {done}, seed {SEED}")
    finally:
        servers.close()
    return kills


async def _wait_for_progress(
    folder: Path, work: Sequence[asyncio.Future[None]], chance: random.Random
) -> None:
    goal = len(_lines(folder)) + chance.choice([1, 1, 2, 3, 5, 8, 13])
    deadline = time.monotonic() + _PROGRESS_SECONDS
    while len(_lines(folder)) < goal and time.monotonic() < deadline:
        for each in work:
            if each.done():
                each.result()
        await asyncio.sleep(0.002)
    await asyncio.sleep(chance.random() * 0.01)


async def _audit(client: Client, folder: Path, load: Load, ticking: Any) -> None:
    """Nothing lost, nothing twice."""
    await _persist(lambda: ticking.pause("the audit"))
    # A start whose attempt was killed comes with the next one.
    async with asyncio.timeout(30):
        while _passed_over(await _times(client)):
            await _persist(ticking.describe)
    await _persist(ticking.delete)
    ledger = await client.get_workflow_handle("ledger")
    await _persist(lambda: ledger.signal(Ledger.close))
    entries = await _persist(ledger.result)
    assert Counter(entries) == Counter(load.sent), "an update was lost or counted twice"
    runs = [run async for run in client.list_workflows()]
    status = Counter((run.workflow_type, run.status) for run in runs)
    print(dict(status))
    families = len(load.families)
    assert status.pop(("parent", "completed")) == families
    assert status.pop(("Child", "completed")) == families * WIDTH
    assert status.pop(("Ledger", "completed")) == 1
    assert status.pop(("Ledger", "continued_as_new")) >= len(load.sent) // 20
    ticks = sorted(run.workflow_id for run in runs if run.workflow_type == "tick")
    assert len(set(ticks)) == len(ticks), "a time was acted on twice"
    times = await _times(client)
    assert len(times) > 1
    assert status.pop(("tick", "completed")) == len(ticks) == families + len(times)
    open_kinds = {kind for kind, state in status if state not in {"completed", "terminated"}}
    assert not [kind for kind in open_kinds if "schedule" not in kind], status
    for run in runs:
        handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        _check_history(await handle.fetch_history())
    unknown = {line.split("-")[0] for line in _lines(folder)} - {"entry", "tick"}
    assert all(each.startswith("serves ") or each[0].isdigit() for each in unknown), unknown


async def _times(client: Client) -> list[datetime]:
    """The times that the schedule has acted on."""
    ids = [run.workflow_id async for run in client.list_workflows(workflow_type="tick")]
    texts = sorted(each.removeprefix("tick-") for each in ids if "T" in each)
    return [datetime.strptime(each, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for each in texts]


def _passed_over(times: list[datetime]) -> list[datetime]:
    """The times after which the next second is missing."""
    return [
        first
        for first, second in itertools.pairwise(times)
        if second - first != timedelta(seconds=1)
    ]


def _check_history(history: str) -> None:
    """Numbers without a gap, and each command answered once at most."""
    entries = [json.loads(line) for line in history.splitlines()]
    records = [entry for entry in entries if "n" in entry]
    assert [record["n"] for record in records] == list(range(1, len(records) + 1))
    answers = Counter(
        (event["command_n"], event["kind"] == "child_started")
        for event in (record.get("event", {}) for record in records)
        if "command_n" in event and "attempt_failed" not in event["kind"]
    )
    assert not [key for key, count in answers.items() if count > 1]
    messages = Counter(
        event["message_id"]
        for event in (record.get("event", {}) for record in records)
        if "message_id" in event
    )
    assert not [key for key, count in messages.items() if count > 1]


def test_j3_kill_whoever_serves_updates_children_and_schedules(tmp_path: Path) -> None:
    print(f"seed {SEED}")

    async def test() -> int:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        return await _kill_for_a_while(tmp_path, client, random.Random(SEED))

    kills = asyncio.run(test())
    if kills < 10:
        pytest.fail(f"only {kills} kills in {LIMIT_SECONDS} s")
