"""Who owns a store: two workers on one file, standby and take-over, clients of other processes."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker
from perdure._core import encode
from perdure.client._port import deliver, hosts
from perdure.errors import NoWorkerError, StoreOwnedError, WorkflowAlreadyStartedError
from perdure.worker._host import Host
from tests.e2e import store_worker
from tests.e2e.store_worker import sleeps, waits_for_release, who_serves
from tests.e2e.waiting import until

PROGRAM = Path(store_worker.__file__)
TAKE_OVER_SECONDS = 3.0
"""Far below any poll or lease: a take-over waits for nothing but the owner's end."""


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@contextlib.contextmanager
def served(folder: Path, verb: str = "serve") -> Generator[tuple[subprocess.Popen[str], str]]:
    """A worker in a process of its own, and whether it serves or stands by."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, verb, folder], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


async def noted(folder: Path, line: str) -> None:
    """Waits until an activity has left this note."""
    file = folder / "notes"
    await until(lambda: file.exists() and line in file.read_text().splitlines())


def worker_here(client: Client, **options: Any) -> Worker:
    return Worker(
        client, workflows=store_worker.WORKFLOWS, activities=store_worker.ACTIVITIES, **options
    )


def test_a_standby_in_another_process_takes_over_at_once_after_kill_9(tmp_path: Path) -> None:
    async def test(owner: subprocess.Popen[str], standby: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        assert await client.execute_workflow(who_serves) == owner.pid
        held = await client.start_workflow(waits_for_release, str(tmp_path))
        await noted(tmp_path, "begun")
        owner.kill()
        killed_at = time.monotonic()
        assert await client.execute_workflow(who_serves) == standby.pid
        assert time.monotonic() - killed_at < TAKE_OVER_SECONDS
        (tmp_path / "release").touch()
        assert await held.result() == "attempt 2"

    with served(tmp_path) as (owner, first), served(tmp_path) as (standby, second):
        assert (first, second) == ("serving", "standby")
        run(lambda: test(owner, standby))


def test_what_a_closed_run_gave_is_told_at_once_though_no_worker_runs(tmp_path: Path) -> None:
    async def test(owner: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        handle = await client.start_workflow(who_serves, id="closed")
        assert await handle.result() == owner.pid
        owner.kill()
        owner.wait()
        found = await client.get_workflow_handle("closed")
        assert await found.result() == owner.pid

    with served(tmp_path) as (owner, _):
        run(lambda: test(owner))


def test_a3_a_start_repeated_over_a_restart_is_one_run(tmp_path: Path) -> None:
    async def started(message_id: str) -> str:
        """A start as the client sends it, with a run id of its own each time."""
        fields: dict[str, Any] = {
            "run": uuid.uuid4().bytes,
            "namespace": "default",
            "workflow_id": "repeated",
            "workflow_type": waits_for_release.name,
            "task_queue": "default",
            "arguments": encode([str(tmp_path)]),
            "seed": 1,
            "run_timeout_us": None,
            "headers": [],
        }
        file = (tmp_path / "app.db").resolve()
        answer = await deliver(file, "start", message_id, fields)
        return answer.expect("started", workflow_id="repeated").run_id

    async def test() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with worker_here(client):
            first = await started("the start")
        async with worker_here(client):
            assert await started("the start") == first
            with pytest.raises(WorkflowAlreadyStartedError):
                await started("another start")
            (tmp_path / "release").touch()
            await (await client.get_workflow_handle("repeated")).result()
        async with worker_here(client):
            assert await started("the start") == first
        assert len([each async for each in client.list_workflows()]) == 1

    run(test)


def test_a_request_that_left_nothing_in_the_inbox_has_nobody_look_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []

    class Watched(Host):
        def read_inbox(self) -> None:
            looks.append("looked")
            super().read_inbox()

    async def test() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        worker = worker_here(client)
        watched = functools.partial(Watched, client.path, processes=1)
        monkeypatch.setattr(worker, "_new_host", watched)
        async with worker:
            handle = await client.start_workflow(who_serves)
            assert await handle.result() == os.getpid()
            # As a client of another process does it.
            del hosts[client.path]
            looks.clear()
            assert await handle.result() == os.getpid()
            run_id = uuid.UUID(handle.run_id).bytes
            await deliver(client.path, "await_result", "question", {"run": run_id}, durable=False)
            assert looks == []
            cancelled = {"run": run_id, "reason": ""}
            await deliver(client.path, "cancel", "message", cancelled)
            assert looks == ["looked"]

    run(test)


def test_a_run_records_what_began_it(tmp_path: Path) -> None:
    async def test() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with worker_here(client):
            handle = await client.start_workflow(who_serves)
            await handle.result()
            records = map(json.loads, (await handle.fetch_history()).splitlines())
        began = next(record["event"] for record in records if "event" in record)
        major, minor, *_ = sys.version_info
        language = f"{sys.implementation.name}-{major}.{minor}"
        version = importlib.metadata.version("perdure")
        assert began["version"] == {"engine": version, "language": language}

    run(test)


def test_without_standby_the_owner_is_named(tmp_path: Path) -> None:
    async def test(owner: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        with pytest.raises(StoreOwnedError, match=rf"\b{owner.pid}\b"):
            async with worker_here(client, standby=False):
                pass
        assert await client.execute_workflow(who_serves) == owner.pid

    with served(tmp_path) as (owner, _):
        run(lambda: test(owner))


def test_two_workers_of_one_process_follow_each_other(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        first = worker_here(client)
        async with first, worker_here(client) as second:
            assert first.is_serving
            assert second.is_standby
            with pytest.raises(StoreOwnedError, match=rf"\b{os.getpid()}\b"):
                async with worker_here(client, standby=False):
                    pass
            handle = await client.start_workflow(sleeps)
            await first.shutdown()
            await handle.cancel()
            assert await handle.result() == f"cancelled in {os.getpid()}"
            assert second.is_serving

    run(test)


def test_a_client_in_another_process_starts_awaits_cancels_and_terminates(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with worker_here(client):
            process = await asyncio.create_subprocess_exec(
                sys.executable, PROGRAM, "client", tmp_path, stdout=subprocess.PIPE
            )
            output, _ = await process.communicate()
        assert process.returncode == 0
        assert json.loads(output) == {
            "served_by": os.getpid(),
            "cancelled": f"cancelled in {os.getpid()}",
            "terminated": "terminated",
            "runs": ["ended", "asleep"],
        }

    run(test)


def test_without_a_worker_the_client_says_so_and_the_start_is_kept(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        begun_at = time.monotonic()
        with pytest.raises(NoWorkerError, match="the message is kept; start a Worker on file:"):
            await client.start_workflow(who_serves, id="kept")
        assert 4.5 < time.monotonic() - begun_at < 10
        async with worker_here(client):
            # The start lies in the inbox, which a worker reads before anything that comes later.
            assert await client.execute_workflow(who_serves) == os.getpid()
            handle = await client.get_workflow_handle("kept")
            assert await handle.result() == os.getpid()

    run(test)


def test_sigterm_lets_activities_end_and_records_them(tmp_path: Path) -> None:
    async def test(owner: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        handle = await client.start_workflow(waits_for_release, str(tmp_path), id="held")
        await noted(tmp_path, "begun")
        owner.send_signal(signal.SIGTERM)
        await until(lambda: not (tmp_path / "app.db-socket").exists())
        (tmp_path / "release").touch()
        assert await asyncio.to_thread(owner.wait, 30) == 0
        async with worker_here(client):
            assert await handle.result() == "attempt 1"
        assert (tmp_path / "notes").read_text().splitlines() == ["begun", "ended"]

    with served(tmp_path) as (owner, _):
        run(lambda: test(owner))


def test_an_activity_that_outlasts_the_shutdown_runs_again(tmp_path: Path) -> None:
    async def test(owner: subprocess.Popen[str]) -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        handle = await client.start_workflow(waits_for_release, str(tmp_path))
        await noted(tmp_path, "begun")
        owner.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(owner.wait, 30) == 0
        (tmp_path / "release").touch()
        async with worker_here(client):
            assert await handle.result() == "attempt 2"
        assert (tmp_path / "notes").read_text().splitlines() == ["begun", "begun", "ended"]

    with served(tmp_path, "serve_briefly") as (owner, _):
        run(lambda: test(owner))
