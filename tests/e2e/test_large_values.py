"""Large values lie in chunks: what a growing list costs, and that nobody else sees it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from perdure import activity, workflow
from perdure.client._stored import stored_size
from perdure.testing import Replayer, WorkflowHistory
from tests.e2e.conftest import Serve
from tests.e2e.waiting import until

MESSAGE_LETTERS = 2_048
STEPS = 60


@activity.defn
async def reply(context: list[str]) -> str:
    """A text like no other."""
    seed = hashlib.sha256(str(len(context)).encode()).hexdigest()
    digests = (hashlib.sha256(f"{seed}{number}".encode()).hexdigest() for number in range(64))
    return "".join(digests)[:MESSAGE_LETTERS]


@workflow.defn
class Chat:
    """Grows by a message a step, and by what signals bring."""

    def __init__(self) -> None:
        self.context: list[str] = []
        self.go_on = False

    @workflow.run
    async def run(self, steps: int) -> str:
        for _ in range(steps):
            self.context.append(await reply(self.context))
        await workflow.wait_condition(lambda: self.go_on)
        self.context.append(await reply(self.context))
        return hashlib.sha256("".join(self.context).encode()).hexdigest()

    @workflow.signal
    def added(self, text: str) -> None:
        self.context.append(text)
        self.go_on = True


def expected(steps: int, text: str) -> str:
    async def all_of_it() -> list[str]:
        context: list[str] = []
        for _ in range(steps):
            context.append(await reply(context))
        context.append(text)
        context.append(await reply(context))
        return context

    return hashlib.sha256("".join(asyncio.run(all_of_it())).encode()).hexdigest()


def large_values(path: Path, run_id: str) -> int:
    size = stored_size(path, run_id)
    return 0 if size is None else size.large_values


def test_a_growing_list_is_stored_once_and_read_as_it_was(serve: Serve, tmp_path: Path) -> None:
    text = "signalled " * 20_000
    path = tmp_path / "app.db"

    async def first() -> str:
        async with serve([Chat], [reply]) as client:
            handle = await client.start_workflow(Chat.run, STEPS, id="chat")
            # A list of eight messages is the first that is large.
            await until(lambda: large_values(path, handle.run_id) == STEPS - 8)
        return handle.run_id

    async def second(run_id: str) -> tuple[str, str]:
        # Nothing of the first worker is left but the store.
        async with serve([Chat], [reply]) as client:
            handle = await client.get_workflow_handle("chat", run_id=run_id)
            await handle.signal(Chat.added, text)
            return await handle.result(), await handle.fetch_history()

    run_id = asyncio.run(first())
    before = stored_size(path, run_id)
    assert before is not None
    added = STEPS * MESSAGE_LETTERS
    assert before.history_bytes > STEPS * added / 2
    # As results, in the lists, and with what lies around their ends.
    assert before.stored_bytes < 6 * added
    result, history = asyncio.run(second(run_id))
    assert result == expected(STEPS, text)
    # The exported history has all of it, and needs no store.
    assert text in history
    assert len(history) > before.history_bytes
    replayed = asyncio.run(
        Replayer(workflows=[Chat]).replay_workflow(WorkflowHistory.from_json(history))
    )
    assert replayed.replay_failure is None
    command = [sys.executable, "-m", "perdure.cli", "workflow", "show", "chat"]
    environment = os.environ | {"PERDURE_STORE": f"file:{path}"}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shown = done.stdout
    size = stored_size(path, run_id)
    assert size is not None
    assert f"{size.large_values:,} large values lie in {size.chunks:,} chunks" in shown
    assert "arguments (195.3 KiB)" in shown


def test_runs_share_what_they_have_in_common(serve: Serve, tmp_path: Path) -> None:
    async def runs() -> list[str]:
        async with serve([Chat], [reply]) as client:
            handles = [await client.start_workflow(Chat.run, 30, id=f"{n}") for n in range(4)]
            for handle in handles:
                await handle.signal(Chat.added, "go on")
            await asyncio.gather(*(handle.result() for handle in handles))
            return [handle.run_id for handle in handles]

    ids = asyncio.run(runs())
    sizes = [size for size in (stored_size(tmp_path / "app.db", each) for each in ids) if size]
    assert len(sizes) == 4
    files = (tmp_path / name for name in ("app.db", "app.db-wal"))
    on_disk = sum(file.stat().st_size for file in files if file.exists())
    assert on_disk < sum(size.history_bytes for size in sizes) / 2


def test_doctor_names_the_runs_whose_chunks_are_damaged(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "app.db"

    async def two_runs() -> tuple[str, str, str]:
        async with serve([Chat], [reply]) as client:
            ids: list[str] = []
            result = ""
            for steps in (20, 2):
                handle = await client.start_workflow(Chat.run, steps, id=f"chat-{steps}")
                await handle.signal(Chat.added, "go on")
                result = await handle.result()
                ids.append(handle.run_id)
        return ids[0], ids[1], result

    large, small, expected_result = asyncio.run(two_runs())
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE chunks SET checksum = checksum - 1 WHERE chunk = 1")
    command = [sys.executable, "-m", "perdure.cli", "doctor", "--store", f"file:{path}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert f"1 damaged histories, the first of run {large}" in done.stdout
    assert "in the batch up to record" in done.stdout
    assert "chunk 1 fails its checksum" in done.stdout
    assert small not in done.stdout

    async def result_again() -> str:
        async with serve([Chat], [reply]) as client:
            handle = await client.get_workflow_handle("chat-2", run_id=small)
            return str(await handle.result())

    assert asyncio.run(result_again()) == expected_result
