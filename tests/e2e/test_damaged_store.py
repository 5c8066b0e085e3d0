"""Stores that are damaged, of another format, or full: typed answers, and never a wrong value."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, activity, workflow
from perdure.errors import StoreDamagedError, WorkflowParkedError
from tests.e2e import store_worker
from tests.e2e.store_worker import STEPS, fills_the_disk, write_down
from tests.e2e.waiting import until

SEED = int(os.environ.get("PERDURE_SEED", "20261123"))
RUNS = 12
CLOSED = 6
"""The first runs are closed, the others wait for their cancellation."""
FLIPS = 24
TABLE_LEAF = 0x0D
"""The first byte of a page that holds rows."""


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@activity.defn
async def triple(number: int) -> int:
    return number * 3


@workflow.defn
async def triples(number: int, until_cancelled: bool) -> list[int]:
    first = await triple(number)
    try:
        if until_cancelled:
            await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        pass
    return [first, await triple(first)]


def expected(number: int) -> list[int]:
    return [number * 3, number * 9]


def worker_on(client: Client) -> Worker:
    return Worker(client, workflows=[triples], activities=[triple], standby=False)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of closed and of waiting runs, closed in good order."""
    file = tmp_path_factory.mktemp("sound") / "app.db"

    async def fill() -> None:
        client = await Client.connect(f"file:{file}")
        async with worker_on(client):
            for number in range(RUNS):
                waits = number >= CLOSED
                handle = await client.start_workflow(triples, number, waits, id=str(number))
                if not waits:
                    assert await handle.result() == expected(number)
                else:
                    while True:
                        if '"start_timer"' in await handle.fetch_history():
                            break
                        await asyncio.sleep(0)

    run(fill)
    return file


def copied(sound: Path, folder: Path) -> Path:
    for file in sound.parent.iterdir():
        if file.is_file() and not file.name.endswith("-lock"):
            shutil.copy(file, folder / file.name)
    return folder / sound.name


async def answers(file: Path) -> dict[str, str]:
    """What becomes of each run on this store, and of a new one: `right`, or what is damaged."""
    client = await Client.connect(f"file:{file}")
    found: dict[str, str] = {}
    async with worker_on(client):
        for number in range(RUNS):
            found[str(number)] = await _told(_answer(client, number))
        found["new"] = await _told(_new(client))
    return found


async def _told(asked: Coroutine[Any, Any, None]) -> str:
    """`right`, or the typed word that the store is damaged. Any other error is misleading."""
    try:
        await asyncio.wait_for(asked, 15)
    except StoreDamagedError as error:
        told = str(error)
    except WorkflowParkedError as error:
        told = error.reason
    else:
        return "right"
    assert "is damaged" in told, told
    return told


async def _answer(client: Client, number: int) -> None:
    handle = await client.get_workflow_handle(str(number))
    if number >= CLOSED:
        await handle.cancel()
    assert await handle.result() == expected(number)


async def _new(client: Client) -> None:
    assert await client.execute_workflow(triples, 100, False) == expected(100)


def test_the_sound_store_answers_for_every_run(sound: Path, tmp_path: Path) -> None:
    async def test() -> None:
        assert set((await answers(copied(sound, tmp_path))).values()) == {"right"}

    run(test)


def test_a_backup_that_sqlite_makes_is_a_store(sound: Path, tmp_path: Path) -> None:
    file = copied(sound, tmp_path)
    backup = tmp_path / "backup.db"
    with (
        contextlib.closing(sqlite3.connect(file)) as connection,
        contextlib.closing(sqlite3.connect(backup)) as target,
    ):
        connection.backup(target)

    async def test() -> None:
        assert set((await answers(backup)).values()) == {"right"}

    run(test)


@pytest.mark.parametrize("part", [0.0005, 0.02, 0.3, 0.5, 0.75, 0.9, 0.99])
def test_a_truncated_store_is_refused(sound: Path, tmp_path: Path, part: float) -> None:
    async def test() -> None:
        file = copied(sound, tmp_path)
        size_bytes = file.stat().st_size
        os.truncate(file, max(1, int(size_bytes * part)))
        with pytest.raises(StoreDamagedError, match=r"app\.db"):
            await answers(file)

    run(test)


def flip(file: Path, at: int, bit: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        (byte,) = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte ^ (1 << bit)]))


@pytest.mark.parametrize("number", range(FLIPS))
def test_a_flipped_bit_gives_the_right_value_or_says_that_the_store_is_damaged(
    sound: Path, tmp_path: Path, number: int
) -> None:
    chance = random.Random(f"{SEED} {number}")

    async def test() -> None:
        file = copied(sound, tmp_path)
        # Somewhere in what holds anything: most of a small database is empty.
        places = [at for at, byte in enumerate(file.read_bytes()) if byte]
        at, bit = chance.choice(places), chance.randrange(8)
        flip(file, at, bit)
        print(f"seed {SEED}: byte {at}, bit {bit}")
        try:
            found = await answers(file)
        except StoreDamagedError as error:
            print(f"refused: {error}")
            return
        assert len(found) == RUNS + 1
        print({name: answer for name, answer in found.items() if answer != "right"})

    run(test)


@pytest.mark.parametrize("number", [0, CLOSED - 1, CLOSED, RUNS - 1])
def test_a_flipped_bit_in_a_batch_disturbs_its_run_alone(
    sound: Path, tmp_path: Path, number: int
) -> None:
    async def test() -> None:
        file = copied(sound, tmp_path)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            query = """SELECT body FROM batches JOIN runs USING (run_key)
                WHERE workflow_id = ? ORDER BY batch DESC LIMIT 1"""
            (body,) = connection.execute(query, [str(number)]).fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        data = file.read_bytes()
        for place in re.finditer(re.escape(body), data):
            # Pages of indexes may hold remains of it in their free space.
            if data[place.start() // page_bytes * page_bytes] == TABLE_LEAF:
                flip(file, place.start() + len(body) // 2, 3)
        found = await answers(file)
        disturbed = {name: answer for name, answer in found.items() if answer != "right"}
        assert list(disturbed) == [str(number)], disturbed

    run(test)


def test_damage_found_by_a_write_stops_the_worker_with_its_reason(
    sound: Path, tmp_path: Path
) -> None:
    async def test() -> None:
        file = copied(sound, tmp_path)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            query = "SELECT rootpage FROM sqlite_master WHERE name = 'runs_by_close'"
            (page,) = connection.execute(query).fetchone()
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        with file.open("r+b") as opened:
            opened.seek((page - 1) * page_bytes)
            opened.write(b"\xff" * page_bytes)
        client = await Client.connect(f"file:{file}")
        worker = worker_on(client)
        serving = asyncio.create_task(worker.run())
        await until(lambda: worker.is_serving)
        for _ in range(2):
            with pytest.raises(StoreDamagedError, match=r"app\.db is damaged"):
                await client.execute_workflow(triples, 1, False)
        with pytest.raises(StoreDamagedError, match=r"app\.db is damaged"):
            await serving

    run(test)


def test_a_newer_format_is_refused_and_left_alone(sound: Path, tmp_path: Path) -> None:
    async def test() -> None:
        file = copied(sound, tmp_path)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA user_version = 9")
            connection.commit()
        before = file.read_bytes()
        with pytest.raises(StoreDamagedError, match=r"format 9.*newer|newer.*format 9"):
            await answers(file)
        assert file.read_bytes() == before

    run(test)


@pytest.mark.parametrize("content", [b"hello, world\n", b"\x89PNG\r\n" * 1_000, b"{}"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    async def test() -> None:
        file = tmp_path / "app.db"
        file.write_bytes(content)
        with pytest.raises(StoreDamagedError, match=r"app\.db"):
            await answers(file)
        assert file.read_bytes() == content

    run(test)


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def test() -> None:
        file = tmp_path / "app.db"
        with contextlib.closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE customers (name TEXT)")
            connection.commit()
        with pytest.raises(StoreDamagedError, match=r"app\.db"):
            await answers(file)
        with contextlib.closing(sqlite3.connect(file)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        assert tables == [("customers",)]

    run(test)


def test_a_full_disk_holds_the_run_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    notes = tmp_path / "notes"

    def steps() -> list[int]:
        return [int(line) for line in notes.read_text().split()] if notes.exists() else []

    async def test(owner: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        handle = await client.start_workflow(fills_the_disk, str(tmp_path), id="full")
        await until(lambda: len(steps()) >= 5)
        files = [tmp_path / "app.db", tmp_path / "app.db-wal"]
        limit_bytes = max(each.stat().st_size for each in files if each.exists())
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(owner.pid, resource.RLIMIT_FSIZE, (limit_bytes, unlimited))
        before = -1
        while before != len(steps()):
            before = len(steps())
            await asyncio.sleep(0.5)
        assert before < STEPS, "the disk was never full"
        assert owner.poll() is None
        assert (await handle.describe()).status == "running"
        resource.prlimit(owner.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        assert await handle.result() == sum(
            (n % 256) * store_worker.STEP_BYTES for n in range(STEPS)
        )
        assert sorted(set(steps())) == list(range(STEPS))
        assert write_down.name in await handle.fetch_history()

    with subprocess.Popen(
        [sys.executable, store_worker.__file__, "serve", tmp_path],
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        try:
            assert owner.stdout is not None
            assert owner.stdout.readline() == "serving\n"
            run(lambda: test(owner))
        finally:
            owner.kill()
