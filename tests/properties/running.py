"""Random programs run on a real engine, many at once, by time that skips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure import Worker, activity
from perdure.errors import ApplicationError, RunClosedError, WorkflowFailureError
from perdure.testing import WorkflowEnvironment
from tests.properties.programs import RandomProgram, Script, work

__all__ = ["run_all"]


def run_all(scripts: Sequence[Script], *, cached: int, folder: Path) -> list[Any]:
    """What each came to: its log, or how it failed; the histories go into the folder."""
    folder.mkdir()
    return asyncio.run(_run_all(scripts, cached, folder))


async def _run_all(scripts: Sequence[Script], cached: int, folder: Path) -> list[Any]:
    async with await WorkflowEnvironment.start_time_skipping() as env:

        @activity.defn(name=work.name)
        async def takes_time(kind: str, label: int, seconds: float) -> int:
            await env.sleep(seconds)
            if kind == "fails":
                raise ApplicationError(f"no {label}", type="Never", non_retryable=True)
            if kind == "fails_once" and activity.info().attempt == 1:
                raise ApplicationError(f"not yet {label}", type="NotYet")
            return label

        async with Worker(
            env.client,
            workflows=[RandomProgram],
            activities=[takes_time],
            max_concurrent_activities=10_000,
            max_cached_workflows=cached,
        ):
            return await asyncio.gather(*(_run(env, each, folder) for each in scripts))


async def _run(env: WorkflowEnvironment, script: Script, folder: Path) -> Any:
    handle = await env.client.start_workflow(
        RandomProgram.run, script.program, script.keeps_tasks, id=f"p-{script.number}"
    )
    ended = asyncio.ensure_future(handle.result())
    passed = 0.0
    for second, verb, what in script.deeds:
        await env.sleep(second - passed)
        passed = second
        try:
            if verb == "signal":
                await handle.signal(what)
            else:
                await handle.cancel(what)
        except RunClosedError:
            break
    try:
        outcome = await ended
    except WorkflowFailureError as error:
        outcome = [type(error).__name__, type(error.cause).__name__, str(error.cause)]
    text = await handle.fetch_history()
    (folder / f"{script.number}.jsonl").write_text(text, encoding="utf-8")
    return outcome
