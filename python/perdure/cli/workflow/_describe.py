"""`perdure workflow describe`: what is known of a run, and what it waits for."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import (
    STATUS_COLORS,
    Style,
    duration_text,
    print_json,
    print_table,
    time_text,
)
from perdure.cli._values import to_json
from perdure.cli.workflow._fields import description_fields
from perdure.client import PendingActivity, WorkflowDescription
from perdure.errors import NoWorkerError

__all__ = ["add"]

_TEXT = """
Pending activities are known to the worker that serves the store: it is asked if it runs.
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    add_run(
        add_command(commands, "describe", "show a run and what it waits for", execute, text=_TEXT)
    )


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    run = await handle.describe()
    pending: list[PendingActivity] | None = []
    if run.close_time is None:
        try:
            pending = await handle.pending_activities()
        except NoWorkerError:
            pending = None
    if options.output == "json":
        activities = None if pending is None else [dataclasses.asdict(each) for each in pending]
        print_json(description_fields(run) | {"pending_activities": activities})
        return ExitCode.OK
    _print_run(run)
    if pending is None:
        print("\nNo worker serves the store: the run goes on when one does.")
    elif pending:
        print(f"\nPending activities: {len(pending)}")
        titles = ("activity", "attempt", "progress", "last failure")
        print_table(titles, [_row(each) for each in pending])
    return ExitCode.OK


def _print_run(run: WorkflowDescription) -> None:
    style = Style(sys.stdout)
    lines = {
        "Workflow id": run.workflow_id,
        "Run id": run.run_id,
        "Type": run.workflow_type,
        "Status": style.paint(run.status, STATUS_COLORS.get(run.status, "bold")),
        "Namespace": run.namespace,
        "Task queue": run.task_queue,
        "Started": time_text(run.start_time),
        "Closed": time_text(run.close_time),
        "Took": duration_text((run.close_time or datetime.now(UTC)) - run.start_time),
        "Events": str(run.history_length),
        "Parked": run.park_reason or "",
        "Paused": run.pause_reason or "",
        "Attributes": _values(run.search_attributes),
        "Memo": _values(run.memo),
    }
    for name, value in lines.items():
        if value:
            print(f"{name + ':':<13}{value}")
    if run.park_traceback:
        print()
        print(run.park_traceback.rstrip())


def _values(named: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {json.dumps(to_json(each))}" for name, each in named.items())


def _row(each: PendingActivity) -> tuple[str, ...]:
    name = each.activity or f"(command {each.number})"
    return (
        f"{each.service}.{name}" if each.service else name,
        str(each.attempt),
        each.progress,
        each.last_failure or "",
    )
