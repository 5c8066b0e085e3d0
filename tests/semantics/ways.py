"""One scenario three ways: live, live with nothing cached, and replayed in a fresh process.

A workflow returns what it saw. Replay compares results with what is recorded, so that agreement
means equal values, not only the absence of errors.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from perdure import Client, DataConverter, Worker
from perdure._claims import add_converter
from perdure._core import _native
from perdure.client._codecs import decoded_history
from perdure.instance._replay import replay
from perdure.workflow._definition import WorkflowDefinition, definition_of

__all__ = ["three_ways"]

Scenario = Callable[[Client], Awaitable[Any]]
_SYSTEM_RUNS = 'WorkflowType STARTS_WITH "perdure."'
"""Schedules and deployments, which lists leave out unless they are named."""
_ROOT = Path(__file__).resolve().parents[2]
_LIMIT_SECONDS = 60.0


def three_ways(
    scenario: Scenario,
    module: ModuleType | str,
    *,
    activities: Sequence[Any] = (),
    converter: str = "",
    deadlock_limit: timedelta = timedelta(seconds=10),
) -> Any:
    """What came of the scenario; the three ways must agree. `module` holds its workflows, and the
    data converter of that name, if there is one.
    """
    name = module if isinstance(module, str) else module.__name__
    worker = partial(
        Worker,
        workflows=list(_workflows_of(name).values()),
        activities=activities,
        deadlock_limit=deadlock_limit,
    )
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [
            asyncio.run(
                asyncio.wait_for(
                    _live(
                        scenario,
                        worker,
                        Path(folder) / str(cached),
                        cached,
                        _converter_of(name, converter),
                    ),
                    _LIMIT_SECONDS,
                )
            )
            for cached in (1_000, 0)
        ]
        assert outcomes[0] == outcomes[1], "with nothing cached, the outcome is another one"
        _replay_in_a_fresh_process(name, Path(folder), converter)
    return outcomes[0]


async def _live(
    scenario: Scenario,
    worker: Callable[..., Worker],
    folder: Path,
    cached: int,
    converter: DataConverter | None,
) -> Any:
    folder.mkdir()
    client = await Client.connect(f"file:{folder / 'app.db'}", data_converter=converter)
    async with worker(client, max_cached_workflows=cached):
        outcome = await scenario(client)
        for query in (None, _SYSTEM_RUNS):
            async for run in client.list_workflows(query):
                handle = await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
                file = folder / f"{run.run_id}.jsonl"
                file.write_text(await handle.fetch_history())
    return outcome


def _replay_in_a_fresh_process(module: str, folder: Path, converter: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.semantics.ways", module, str(folder), converter],
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _workflows_of(module: str) -> dict[str, WorkflowDefinition[..., Any]]:
    found: dict[str, WorkflowDefinition[..., Any]] = {}
    for value in vars(importlib.import_module(module)).values():
        try:
            definition = definition_of(value)
        except TypeError:
            continue
        found[definition.name] = definition
    return found


def _converter_of(module: str, name: str) -> DataConverter | None:
    return getattr(importlib.import_module(module), name) if name else None


def _main(module: str, folder: str, converter: str) -> None:
    workflows = _workflows_of(module)
    add_converter(_converter_of(module, converter))
    files = sorted(Path(folder).glob("*/*.jsonl"))
    if not files:
        raise SystemExit("no history was recorded")
    for file in files:
        text = decoded_history(file.read_text(), _converter_of(module, converter))
        history = _native.RecordedHistory.from_json(text)
        replay(history, workflows).evict()


if __name__ == "__main__":
    _main(*sys.argv[1:])
