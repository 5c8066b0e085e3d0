"""An engine with one foreign worker: the stand on which a language and a transport are tested."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from perdure import Client, Worker
from perdure.client import WorkflowHandle
from perdure.errors import ActivityError, ApplicationError, WorkflowFailureError
from perdure.worker import NatsOptions, StdioService
from tests.conformance.nats import NatsServer
from tests.conformance.service import WORKFLOWS, call

__all__ = ["ROOT", "ForeignWorker", "Stand", "languages", "worker_program"]

Result = TypeVar("Result")
ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 60.0
_ENDS = {"activity_completed", "activity_failed", "activity_cancelled"}


def languages() -> list[str]:
    """Every language with a conformance worker: a new one is a new folder."""
    return sorted(path.parents[1].name for path in ROOT.glob("bridges/*/conformance/run"))


def worker_program(language: str) -> str:
    """The program that becomes a language's conformance worker."""
    return str(ROOT / "bridges" / language / "conformance" / "run")


class ForeignWorker:
    """A conformance worker that dials a NATS server."""

    def __init__(
        self,
        language: str,
        server: NatsServer,
        namespace: str = "default",
        *,
        shown: Mapping[str, str] | None = None,
    ) -> None:
        if shown is None:
            shown = {"PERDURE_NATS_URL": server.url, "PERDURE_NATS_TOKEN": server.token}
        environment = {**os.environ, **shown, "PERDURE_NAMESPACE": namespace}
        self._process = subprocess.Popen([worker_program(language)], env=environment)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def kill(self) -> None:
        """Ends it as a crash does."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Waits until it ends by itself, and gives its status."""
        try:
            return self._process.wait(timeout=_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def stop(self) -> int:
        """Lets it drain, and gives its status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Stand:
    """A client, an engine and a foreign worker, on an event loop in a thread of its own."""

    def __init__(
        self,
        directory: Path,
        *,
        namespace: str = "default",
        services: Sequence[StdioService] = (),
        server: NatsServer | None = None,
        nats: NatsOptions | None = None,
        workflows: Sequence[Any] = WORKFLOWS,
        activities: Sequence[Any] = (),
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="stand")
        self._thread.start()
        self.client = self.run(
            Client.connect(f"file:{directory / 'stand.db'}", namespace=namespace)
        )
        if server is not None and nats is None:
            nats = NatsOptions(url=server.url, token=server.token)
        self.worker = Worker(
            self.client, workflows=workflows, activities=activities, services=services, nats=nats
        )
        try:
            self.run(self.worker.__aenter__())
        except BaseException:
            self._end_loop()
            raise

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine on the stand's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_SECONDS)

    def start(
        self, workflow: Any, *arguments: Any, headers: Mapping[str, str] | None = None
    ) -> WorkflowHandle[Any]:
        """Starts a workflow."""
        return self.run(self.client.start_workflow(workflow, *arguments, headers=headers))

    def start_call(self, name: str, *arguments: Any, **options: Any) -> WorkflowHandle[Any]:
        """Starts a run that calls one activity."""
        return self.start(call, name, list(arguments), options)

    def result(self, handle: WorkflowHandle[Any]) -> Any:
        """What a run returned."""
        return self.run(handle.result())

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Calls one activity from a run of its own."""
        return self.result(self.start_call(name, *arguments, **options))

    def history(self, handle: WorkflowHandle[Any]) -> list[dict[str, Any]]:
        """A run's records."""
        text = self.run(handle.fetch_history())
        return [json.loads(line) for line in text.splitlines()]

    def events(self, handle: WorkflowHandle[Any], kind: str) -> list[dict[str, Any]]:
        """A run's events of one kind, as records."""
        return [
            record for record in self.history(handle) if record.get("event", {}).get("kind") == kind
        ]

    def commands(self, handle: WorkflowHandle[Any], kind: str) -> list[dict[str, Any]]:
        """A run's commands of one kind, as records."""
        return [
            record
            for record in self.history(handle)
            if record.get("command", {}).get("kind") == kind
        ]

    def attempts(self, handle: WorkflowHandle[Any]) -> int:
        """The attempt at which the one activity of a run ended."""
        ended = [
            record["event"]["attempt"]
            for record in self.history(handle)
            if record.get("event", {}).get("kind") in _ENDS
        ]
        assert len(ended) == 1, "one activity has one outcome"
        attempt: int = ended[0]
        return attempt

    def cause(self, handle: WorkflowHandle[Any]) -> Any:
        """Why the one activity of a run failed for good."""
        with pytest.raises(WorkflowFailureError) as raised:
            self.result(handle)
        failed = raised.value.cause
        assert isinstance(failed, ActivityError)
        return failed.cause

    def failure(self, handle: WorkflowHandle[Any]) -> ApplicationError:
        """The error that the one activity of a run raised at last."""
        cause = self.cause(handle)
        assert isinstance(cause, ApplicationError)
        return cause

    def close(self) -> None:
        """Ends the engine and the loop."""
        try:
            self.run(self.worker.shutdown())
        finally:
            self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
