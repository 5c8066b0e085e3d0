"""NATS taken away, workers killed and engines killed: every run ends, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker
from perdure.client import WorkflowHandle
from perdure.errors import ServerError
from perdure.worker import NatsOptions
from tests.conformance.nats import NatsServer
from tests.conformance.service import call, gather
from tests.conformance.stand import ROOT, ForeignWorker, Stand, languages

LANGUAGES = languages()
_PATIENCE_SECONDS = 30.0


@pytest.fixture(name="server")
def running_server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    yield server
    server.kill()


@contextmanager
def worker_of(language: str, server: NatsServer, namespace: str = "default") -> Generator[Any]:
    worker = ForeignWorker(language, server, namespace)
    try:
        yield worker
    finally:
        worker.kill()


@contextmanager
def stand_on(directory: Path, server: NatsServer) -> Generator[Stand]:
    stand = Stand(directory, server=server)
    try:
        yield stand
    finally:
        stand.close()


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Waits until something holds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        pause.wait(0.02)


def wait_for_log(capfd: pytest.CaptureFixture[str], expected: str) -> None:
    """Waits until a worker has logged something."""
    said: list[str] = []

    def is_said() -> bool:
        said.append(capfd.readouterr().err)
        return expected in "".join(said)

    eventually(is_said, f"a worker logs {expected!r}")


def is_scheduled(stand: Stand, handle: WorkflowHandle[Any]) -> bool:
    return bool(stand.commands(handle, "schedule_activity"))


def test_a_wrong_token_is_a_clear_error(tmp_path: Path, server: NatsServer) -> None:
    server.token = "wrong"
    with pytest.raises(ServerError, match="credentials"):
        Stand(tmp_path, server=server)


def test_no_server_is_a_clear_error(tmp_path: Path, server: NatsServer) -> None:
    server.kill()
    with pytest.raises(ServerError, match=r"no NATS server answers at nats://127\.0\.0\.1"):
        Stand(tmp_path, server=server)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_waits_for_a_worker_that_is_down(
    tmp_path: Path, server: NatsServer, language: str
) -> None:
    with stand_on(tmp_path, server) as stand:
        handle = stand.start_call("echo", "early")
        eventually(lambda: is_scheduled(stand, handle), "the call is scheduled")
        with worker_of(language, server):
            assert stand.result(handle) == "early"
        assert stand.attempts(handle) == 1
        assert stand.events(handle, "activity_attempt_failed") == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_killed_in_a_task_means_a_second_attempt(
    tmp_path: Path, server: NatsServer, language: str
) -> None:
    with stand_on(tmp_path, server) as stand:
        with worker_of(language, server):
            assert stand.call("echo", 1) == 1
            handle = stand.start_call("sleep_and_log", 1200, heartbeat_timeout_ms=2000)
            eventually(lambda: is_scheduled(stand, handle), "the call is scheduled")
            # A worker says within 100 ms that it began: by the end of a later call it has.
            assert stand.call("sleep", 150) == 150
        with worker_of(language, server):
            assert stand.result(handle) == 1200
        assert stand.attempts(handle) == 2
        failed = stand.events(handle, "activity_attempt_failed")
        assert [each["event"]["failure"]["kind"]["sort"] for each in failed] == ["timeout"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_worker_that_drains_finishes_what_it_has(
    tmp_path: Path, server: NatsServer, language: str
) -> None:
    with stand_on(tmp_path, server) as stand:
        leaving = ForeignWorker(language, server, "default")
        assert stand.call("echo", 1) == 1
        handle = stand.start_call("sleep_and_log", 600, heartbeat_timeout_ms=20_000)
        eventually(lambda: is_scheduled(stand, handle), "the call is scheduled")
        assert stand.call("echo", 2) == 2
        assert leaving.stop() == 0
        assert stand.result(handle) == 600
        assert stand.attempts(handle) == 1
        late = stand.start_call("echo", "next")
        with worker_of(language, server):
            assert stand.result(late) == "next"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_server_killed_and_restarted_loses_nothing(
    tmp_path: Path, server: NatsServer, language: str
) -> None:
    with stand_on(tmp_path, server) as stand, worker_of(language, server):
        assert stand.call("echo", 1) == 1
        running = stand.start_call("sleep_and_log", 700)
        many = stand.start(gather, "sleep_and_log", [[400]] * 20)
        eventually(lambda: is_scheduled(stand, many), "the calls are scheduled")
        server.kill()
        away = stand.start_call("echo", "while it is away")
        eventually(lambda: is_scheduled(stand, away), "the call is scheduled")
        server.start()
        assert stand.result(running) == 700
        assert stand.result(many) == [400] * 20
        assert stand.result(away) == "while it is away"
        for handle in (running, many, away):
            attempts = {
                each["event"]["attempt"] for each in stand.events(handle, "activity_completed")
            }
            assert attempts == {1}


class Engine:
    """An engine in a process of its own."""

    def __init__(self, store: Path, server: NatsServer) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.engine", store, server.url, server.token, "default"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env=os.environ,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def stop(self) -> None:
        """Lets it do nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets it go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


async def _start(store: Path, workflow: Any, *arguments: Any) -> WorkflowHandle[Any]:
    client = await Client.connect(f"file:{store}")
    return await client.start_workflow(workflow, *arguments)


def outcomes(records: list[dict[str, Any]]) -> Counter[int]:
    """How often each call has a recorded result."""
    return Counter(
        record["event"]["command_n"]
        for record in records
        if record.get("event", {}).get("kind") == "activity_completed"
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("away_for_ms", [0, 900], ids=["still_running", "ended_meanwhile"])
def test_an_engine_killed_during_a_call_hears_of_its_one_execution(
    tmp_path: Path,
    server: NatsServer,
    language: str,
    away_for_ms: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    store = tmp_path / "store.db"
    with worker_of(language, server):
        engine = Engine(store, server)
        handle = asyncio.run(_start(store, call, "echo", ["ready"], {}))
        assert asyncio.run(handle.result()) == "ready"
        handle = asyncio.run(_start(store, call, "sleep_and_log", [600], {}))

        def history() -> list[dict[str, Any]]:
            return [json.loads(line) for line in asyncio.run(handle.fetch_history()).splitlines()]

        eventually(
            lambda: any("schedule_activity" in str(record) for record in history()),
            "the call is scheduled",
        )
        probe = asyncio.run(_start(store, call, "echo", ["after it"], {}))
        assert asyncio.run(probe.result()) == "after it"
        engine.kill()
        if away_for_ms:
            # The worker's log says when the call has ended, with nobody to hear its reply.
            wait_for_log(capfd, "slept")
        began = time.monotonic()
        engine = Engine(store, server)
        try:
            assert asyncio.run(handle.result()) == 600
        finally:
            engine.kill()
        records = history()
        assert outcomes(records) == {2: 1}
        attempts = [r["event"]["attempt"] for r in records if "activity_completed" in str(r)]
        assert attempts == [1], "the first attempt was claimed, not run again"
        assert time.monotonic() - began < 12, "nobody waited for a timeout"


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_engine_stopped_and_resumed_during_a_call_takes_its_result(
    tmp_path: Path, server: NatsServer, language: str, capfd: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "store.db"
    with worker_of(language, server):
        engine = Engine(store, server)
        try:
            handle = asyncio.run(_start(store, call, "echo", ["ready"], {}))
            assert asyncio.run(handle.result()) == "ready"
            handle = asyncio.run(_start(store, call, "sleep_and_log", [600], {}))
            probe = asyncio.run(_start(store, call, "sleep", [150], {}))
            assert asyncio.run(probe.result()) == 150
            engine.stop()
            wait_for_log(capfd, "slept")
            engine.resume()
            assert asyncio.run(handle.result()) == 600
            text = asyncio.run(handle.fetch_history())
        finally:
            engine.kill()
    records = [json.loads(line) for line in text.splitlines()]
    assert outcomes(records) == {2: 1}
    assert "activity_attempt_failed" not in text


def test_a_server_of_ones_own_is_started_and_ended(tmp_path: Path) -> None:
    async def serve() -> tuple[str, Path]:
        client = await Client.connect(f"file:{tmp_path / 'own.db'}")
        async with Worker(client, workflows=[call], nats=NatsOptions()):
            directory = tmp_path / "own.db-nats"
            return (directory / "nats.conf").read_text(), directory

    configuration, directory = asyncio.run(serve())
    assert 'listen: "127.0.0.1:' in configuration
    assert (directory / "nats.conf").stat().st_mode & 0o777 == 0o600
    assert list((directory / "ports").iterdir()) == [], "it ended in order"
