"""Waiting for a run, and printing what came of it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from perdure.cli._exit import ExitCode
from perdure.cli._failures import failure_lines, outcome_fields
from perdure.cli._output import notice, print_json
from perdure.cli._values import json_text, to_json
from perdure.client import WorkflowHandle
from perdure.errors import WorkflowFailureError, WorkflowParkedError

__all__ = ["print_outcome"]

_LOOK_SECONDS = 0.2
_PARKED_LOOKS = 4


async def print_outcome(handle: WorkflowHandle[Any], output: str) -> ExitCode:
    """Waits for the run; a result goes to stdout, why there is none to stderr."""
    fields: dict[str, Any] = {"workflow_id": handle.id, "run_id": handle.run_id}
    try:
        result = await _result_or_park(handle)
    except (WorkflowFailureError, WorkflowParkedError) as error:
        if output == "json":
            print_json(fields | outcome_fields(error))
        else:
            _explain(error)
        return ExitCode.FAILURE
    if output == "json":
        print_json(fields | {"status": "completed", "result": to_json(result)})
    elif isinstance(result, str):
        print(result)
    else:
        print(json_text(result))
    sys.stdout.flush()
    return ExitCode.OK


async def _result_or_park(handle: WorkflowHandle[Any]) -> Any:
    """The result; a parked run would keep its caller waiting for a deploy."""
    waiting = asyncio.ensure_future(handle.result())
    parked_looks = 0
    try:
        while True:
            done, _ = await asyncio.wait({waiting}, timeout=_LOOK_SECONDS)
            if done:
                return waiting.result()
            # A worker that has just come tries the run again at once: it gets a moment for that.
            run = await handle.describe()
            parked_looks = parked_looks + 1 if run.status == "parked" else 0
            if parked_looks >= _PARKED_LOOKS:
                raise WorkflowParkedError(
                    f"run {run.run_id} is parked: {run.park_reason}. Correct the code: a worker "
                    "that starts with it goes on from there",
                    run_id=run.run_id,
                    reason=run.park_reason or "",
                    traceback=run.park_traceback or "",
                )
    finally:
        waiting.cancel()


def _explain(error: WorkflowFailureError | WorkflowParkedError) -> None:
    for line in failure_lines(error):
        notice(line)
    if isinstance(error, WorkflowParkedError) and error.traceback:
        notice(error.traceback.rstrip())
