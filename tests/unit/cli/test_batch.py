"""A batch counts what came of each run, and goes on after one that failed."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, WorkflowHandle
from perdure.cli._exit import ExitCode
from perdure.cli.batch import _batch
from perdure.client import WorkflowDescription
from perdure.errors import RunClosedError, ServerError

BATCH = _batch.Batch("cancel", frozenset({"running"}))


def _run(number: int) -> WorkflowDescription:
    return WorkflowDescription(
        workflow_id=f"w{number}",
        run_id=f"{number:032x}",
        workflow_type="audit",
        namespace="default",
        task_queue="default",
        status="running",
        start_time=datetime(2026, 1, 1, tzinfo=UTC),
        close_time=None,
        history_length=2,
        park_reason=None,
        park_traceback=None,
    )


async def _send(handle: WorkflowHandle[Any]) -> None:
    if handle.id == "w3":
        raise ServerError("the engine is shutting down")
    if handle.id == "w5":
        raise RunClosedError("it is closed", run_id=handle.run_id, status="completed")


def test_a_run_that_fails_is_counted_and_the_others_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(tmp_path / "app.db", "default")
    runs = [_run(number) for number in range(40)]
    outcome = asyncio.run(_batch._tell_all(client, BATCH, _send, runs))
    assert (outcome.done, outcome.closed, outcome.code()) == (38, 1, ExitCode.FAILURE)
    _batch._report(BATCH, outcome, as_json=False)
    said = capsys.readouterr()
    assert said.out == "cancel: 38 of 40 runs, 1 closed meanwhile, 1 failed\n"
    assert said.err == f"failed: w3, run {3:032x}: the engine is shutting down\n"
    _batch._report(BATCH, outcome, as_json=True)
    failed = json.loads(capsys.readouterr().out)["failed"]
    assert [each["workflow_id"] for each in failed] == ["w3"]
