"""Waiting for a run, and printing what came of it."""

from __future__ import annotations

import sys
from typing import Any

from perdure.cli._exit import ExitCode
from perdure.cli._failures import failure_lines, outcome_fields
from perdure.cli._output import notice, print_json
from perdure.cli._values import json_text, to_json
from perdure.client import WorkflowHandle
from perdure.errors import WorkflowFailureError, WorkflowParkedError

__all__ = ["print_outcome"]


async def print_outcome(handle: WorkflowHandle[Any], output: str) -> ExitCode:
    """Waits for the run; a result goes to stdout, why there is none to stderr."""
    fields: dict[str, Any] = {"workflow_id": handle.id, "run_id": handle.run_id}
    try:
        result = await handle.result()
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


def _explain(error: WorkflowFailureError | WorkflowParkedError) -> None:
    for line in failure_lines(error):
        notice(line)
    if isinstance(error, WorkflowParkedError) and error.traceback:
        notice(error.traceback.rstrip())
