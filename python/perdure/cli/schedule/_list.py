"""`perdure schedule list` and `perdure schedule describe ID`."""

from __future__ import annotations

import argparse
from typing import Any

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_output, add_store, connect
from perdure.cli._output import notice, print_json, print_table, time_text
from perdure.cli._values import to_json
from perdure.client import ScheduleHandle
from perdure.errors import NotFoundError
from perdure.schedule import ScheduleDescription, ScheduleSpec

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    parser = add_command(commands, "list", "list schedules, newest first", execute_list)
    add_store(parser)
    add_output(parser)
    parser = add_command(commands, "describe", "show a schedule", execute_describe)
    parser.add_argument("schedule", metavar="ID", help="the schedule's name")
    add_store(parser)
    add_output(parser)


async def execute_list(options: argparse.Namespace) -> ExitCode:
    """Runs `list`."""
    client = await connect(options)
    rows: list[tuple[str, ScheduleDescription]] = []
    async for schedule in client.list_schedules():
        try:
            rows.append((schedule.id, await schedule.describe()))
        except NotFoundError:
            # Deleted since the list was read.
            continue
    if options.output == "json":
        print_json([_fields(name, described) for name, described in rows])
    elif not rows:
        notice(f"no schedules in {client.path}")
    else:
        titles = ("schedule", "type", "when", "next", "runs", "paused")
        print_table(titles, [_row(name, described) for name, described in rows])
    return ExitCode.OK


async def execute_describe(options: argparse.Namespace) -> ExitCode:
    """Runs `describe`."""
    client = await connect(options)
    schedule: ScheduleHandle = client.get_schedule_handle(options.schedule)
    described = await schedule.describe()
    if options.output == "json":
        print_json(_fields(schedule.id, described))
        return ExitCode.OK
    state = described.schedule.state
    lines = {
        "Schedule": schedule.id,
        "Starts": described.schedule.action.workflow,
        "When": _when(described.schedule.spec),
        "Time zone": described.schedule.spec.time_zone_name,
        "Overlap": str(described.schedule.policy.overlap),
        "Paused": f"yes ({state.note})" if state.paused else "",
        "Next": ", ".join(time_text(each) for each in described.next_action_times[:3]),
        "Started": str(described.action_count),
        "Skipped": str(described.skipped_count),
        "Missed": str(described.missed_count),
        "Waiting": str(described.waiting_count),
    }
    for name, value in lines.items():
        if value:
            print(f"{name + ':':<13}{value}")
    if described.recent:
        print()
        open_runs = {run.run_id for run in described.running}
        titles = ("time", "workflow id", "open", "run id")
        recent = [
            (
                time_text(run.scheduled_time),
                run.workflow_id,
                "yes" if run.run_id in open_runs else "",
                run.run_id,
            )
            for run in described.recent
        ]
        print_table(titles, recent)
    return ExitCode.OK


def _when(spec: ScheduleSpec) -> str:
    every = [f"every {interval.every}" for interval in spec.intervals]
    return ", ".join([*spec.cron_expressions, *every]) or "when triggered"


def _row(name: str, described: ScheduleDescription) -> tuple[str, ...]:
    upcoming = described.next_action_times
    return (
        name,
        described.schedule.action.workflow,
        _when(described.schedule.spec),
        time_text(upcoming[0]) if upcoming else "",
        str(described.action_count),
        "yes" if described.schedule.state.paused else "",
    )


def _fields(name: str, described: ScheduleDescription) -> dict[str, Any]:
    def time(value: Any) -> Any:
        return to_json(value)["$timestamp"]

    schedule = described.schedule
    return {
        "id": name,
        "workflow_type": schedule.action.workflow,
        "cron_expressions": list(schedule.spec.cron_expressions),
        "interval_seconds": [each.every.total_seconds() for each in schedule.spec.intervals],
        "time_zone": schedule.spec.time_zone_name,
        "overlap_policy": str(schedule.policy.overlap),
        "paused": schedule.state.paused,
        "note": schedule.state.note,
        "next_action_times": [time(each) for each in described.next_action_times],
        "running": [each.run_id for each in described.running],
        "action_count": described.action_count,
        "skipped_count": described.skipped_count,
        "missed_count": described.missed_count,
        "waiting_count": described.waiting_count,
    }
