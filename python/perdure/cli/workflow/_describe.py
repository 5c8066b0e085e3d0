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
from perdure.client import PendingActivity, WorkflowDescription, WorkflowHandle
from perdure.errors import NoWorkerError, StoreDamagedError

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
    provenance = await _provenance(handle)
    if options.output == "json":
        activities = None if pending is None else [dataclasses.asdict(each) for each in pending]
        known = {"pending_activities": activities, "provenance": provenance}
        print_json(description_fields(run) | known)
        return ExitCode.OK
    _print_run(run, provenance)
    if pending is None:
        print("\nNo worker serves the store: the run goes on when one does.")
    elif pending:
        print(f"\nPending activities: {len(pending)}")
        titles = ("activity", "attempt", "progress", "last failure")
        print_table(titles, [_row(each) for each in pending])
    return ExitCode.OK


async def _provenance(handle: WorkflowHandle[Any]) -> dict[str, Any]:
    """From which run this one was copied, and which goes on from it, as far as it is so."""
    found: dict[str, Any] = {}
    try:
        history = await handle.fetch_history()
    except StoreDamagedError:
        return found
    for line in history.splitlines():
        record = json.loads(line)
        event: dict[str, Any] = record.get("event") or {}
        if event.get("kind") == "run_reset":
            how = "fork" if event.get("fork") else "reset"
            found |= {"how": how, "from_run_id": event["run"], "event": record["n"]}
            found["reason"] = event.get("reason", "")
        elif event.get("next_run_id"):
            found["next_run_id"] = event["next_run_id"]
    return found


def _provenance_text(found: Mapping[str, Any]) -> str:
    if "how" not in found:
        return ""
    text = f"{found['how']} of run {found['from_run_id']} at event {found['event']}"
    return f"{text} ({found['reason']})" if found["reason"] else text


def _print_run(run: WorkflowDescription, provenance: Mapping[str, Any]) -> None:
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
        "Copied": _provenance_text(provenance),
        "Goes on as": provenance.get("next_run_id", ""),
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
