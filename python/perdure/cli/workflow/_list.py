"""`perdure workflow list` and `count`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_output, add_store, connect
from perdure.cli._output import (
    STATUS_COLORS,
    duration_text,
    notice,
    print_json,
    print_table,
    time_text,
)
from perdure.cli.workflow._fields import description_fields
from perdure.client import WorkflowDescription

__all__ = ["add"]

_LIMIT = 100


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "list", "list runs, newest first", execute)
    add_query(parser)
    parser.add_argument("--status", choices=sorted(STATUS_COLORS), help="only this status")
    parser.add_argument("--type", metavar="NAME", help="only this workflow type")
    parser.add_argument("--id", metavar="ID", help="only this workflow id")
    parser.add_argument(
        "--limit",
        type=int,
        default=_LIMIT,
        metavar="N",
        help=f"at most N runs; {_LIMIT} by default",
    )
    add_store(parser)
    add_output(parser)
    counter = add_command(commands, "count", "count runs", count)
    add_query(counter)
    add_store(counter)
    add_output(counter)


def add_query(parser: argparse.ArgumentParser) -> None:
    """Adds `--query`."""
    parser.add_argument(
        "-q",
        "--query",
        metavar="QUERY",
        help='only runs of which this holds, such as \'Status = "Running" AND CustomerId = "42"\'',
    )


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    client = await connect(options)
    found = client.list_workflows(
        options.query,
        workflow_id=options.id,
        workflow_type=options.type,
        status=options.status,
        limit=options.limit + 1,
    )
    runs: list[WorkflowDescription] = []
    more = False
    async for run in found:
        if len(runs) == options.limit:
            more = True
            break
        runs.append(run)
    if options.output == "json":
        print_json([description_fields(run) for run in runs])
    elif not runs:
        notice(f"no runs in {client.path}")
    else:
        titles = ("workflow id", "type", "status", "started", "took", "events", "run id")
        print_table(titles, [_row(run) for run in runs], colors=STATUS_COLORS)
    if more:
        notice(f"there are more than {options.limit}: --limit shows them")
    return ExitCode.OK


async def count(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    client = await connect(options)
    number = await client.count_workflows(options.query)
    if options.output == "json":
        print_json({"count": number})
    else:
        print(number)
    return ExitCode.OK


def _row(run: WorkflowDescription) -> tuple[str, ...]:
    return (
        run.workflow_id,
        run.workflow_type,
        run.status,
        time_text(run.start_time),
        duration_text((run.close_time or datetime.now(UTC)) - run.start_time),
        str(run.history_length),
        run.run_id,
    )
