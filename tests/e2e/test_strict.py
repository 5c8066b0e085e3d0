"""Strict mode refuses what neither substitution nor a guard can see, at its line."""

from __future__ import annotations

import asyncio
import logging
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import activity, workflow
from perdure.errors import NondeterminismError, WorkflowParkedError
from perdure.testing import Replayer, WorkflowHistory
from tests.e2e.conftest import Serve

BOUND: Callable[[], float] = vars(random)["_inst"].random

CALLS: dict[str, Callable[[], Any]] = {
    "now": lambda: datetime.now(UTC).isoformat(),
    "today": lambda: date.today().isoformat(),  # noqa: DTZ011
    "random": lambda: BOUND(),
}


@activity.defn
async def clock() -> str:
    return datetime.now(UTC).isoformat()


@workflow.defn
async def strict_calls(name: str) -> list[str]:
    try:
        CALLS[name]()
    except NondeterminismError as error:
        return [str(error), Path(error.file).name]
    return []


@workflow.defn
async def allowed_calls() -> bool:
    logging.getLogger("shop").warning("the log's own clock is nobody's business")
    random.random()
    uuid.uuid4()
    before = time.time()
    await asyncio.sleep(0.001)
    with workflow.unsafe.unguarded():
        datetime.now(UTC)
    await clock()
    return time.time() >= before and workflow.now().timestamp() >= before


@pytest.mark.parametrize("name", sorted(CALLS))
def test_c_calls_are_refused_at_the_line_when_strict_and_pass_otherwise(
    serve: Serve, name: str
) -> None:
    async def test() -> None:
        async with serve([strict_calls], strict=True) as client:
            message, file = await client.execute_workflow(strict_calls, name)
            assert f"{name}" in message
            assert file == "test_strict.py"
        async with serve([strict_calls]) as client:
            assert await client.execute_workflow(strict_calls, name) == []
        assert sys.getprofile() is None

    asyncio.run(asyncio.wait_for(test(), 60))


def test_what_a_replay_repeats_passes_when_strict(serve: Serve) -> None:
    async def test() -> None:
        async with serve([allowed_calls], [clock], strict=True) as client:
            assert await client.execute_workflow(allowed_calls) is True

    asyncio.run(asyncio.wait_for(test(), 60))


PROGRAM = """
import asyncio
from time import time
from perdure import Worker, workflow

@workflow.defn
async def early() -> float:
    return time()  # noqa: PRD2102

async def main() -> None:
    async with Worker("file:a.db", workflows=[early], strict=True) as worker:
        await worker.client.execute_workflow(early)

asyncio.run(main())
"""


def test_a_name_imported_before_the_first_worker_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "time.time, imported by name before the first worker" in done.stderr
    assert "PRD1200" in done.stderr


@workflow.defn
async def loops_for_ever() -> None:
    while True:
        len("a call that is watched")


def test_a_strict_run_that_loops_for_ever_is_parked_and_nothing_is_watched_after(
    serve: Serve,
) -> None:
    async def test() -> None:
        quick = timedelta(milliseconds=200)
        async with serve([loops_for_ever], strict=True, deadlock_limit=quick) as client:
            with pytest.raises(WorkflowParkedError, match="PRD1201"):
                await client.execute_workflow(loops_for_ever)
            assert sys.getprofile() is None

    asyncio.run(asyncio.wait_for(test(), 60))


def test_a_strict_replayer_reports_the_line_and_goes_on(serve: Serve) -> None:
    async def test() -> None:
        async with serve([strict_calls]) as client:
            handle = await client.start_workflow(strict_calls, "now")
            await handle.result()
            history = WorkflowHistory.from_json(await handle.fetch_history())
        with pytest.raises(NondeterminismError, match=r"datetime\.now") as raised:
            await Replayer(workflows=[strict_calls], strict=True).replay_workflow(history)
        line = Path(__file__).read_text().splitlines()[raised.value.line - 1]
        assert line.strip().startswith('"now": lambda')
        assert sys.getprofile() is None
        await Replayer(workflows=[strict_calls]).replay_workflow(history)

    asyncio.run(asyncio.wait_for(test(), 60))
