"""`perdure task-queue list` and `perdure task-queue describe NAME`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import (
    Commands,
    add_command,
    add_group,
    add_output,
    add_store,
    connect,
)
from perdure.cli._output import print_json, print_table
from perdure.client import TaskQueueDescription

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "task-queue", "look at the lines of task queues and services")
    summary = "list task queues and services, and how long their lines are"
    parser = add_command(verbs, "list", summary, execute_list)
    add_store(parser)
    add_output(parser)
    summary = "show a task queue or a service, and what those in its line wait for"
    parser = add_command(verbs, "describe", summary, execute_describe)
    parser.add_argument("queue", metavar="NAME", help="the name of the task queue or the service")
    add_store(parser)
    add_output(parser)


async def execute_list(options: argparse.Namespace) -> ExitCode:
    """Runs `list`."""
    client = await connect(options)
    queues = await client.task_queues()
    if options.output == "json":
        print_json([_fields(queue) for queue in queues])
    else:
        titles = ("name", "sort", "served", "running", "slots", "waiting")
        print_table(titles, [_row(queue) for queue in queues])
    return ExitCode.OK


async def execute_describe(options: argparse.Namespace) -> ExitCode:
    """Runs `describe`."""
    client = await connect(options)
    found = [queue for queue in await client.task_queues() if queue.name == options.queue]
    if not found:
        raise CommandError(
            f"there is no task queue or service {options.queue!r}: `perdure task-queue list` "
            "shows what there is",
            ExitCode.NOT_FOUND,
        )
    if options.output == "json":
        print_json([_fields(queue) for queue in found])
        return ExitCode.OK
    for queue in found:
        _print(queue)
    return ExitCode.OK


def _print(queue: TaskQueueDescription) -> None:
    rate = queue.activities_per_second
    lines = {
        "Service" if queue.is_service else "Task queue": queue.name,
        "Served": "yes" if queue.is_served else "no",
        "Running": f"{queue.running} of {queue.slots}",
        "Rate": "" if rate is None else f"{rate:g} a second",
        "Waiting": str(queue.depth),
    }
    for name, value in lines.items():
        if value:
            print(f"{name + ':':<12}{value}")
    if queue.depth:
        print()
        backlog = sorted(queue.backlog.items())
        print_table(("priority", "waiting"), [(str(key), str(count)) for key, count in backlog])
        print()
        reasons = sorted(queue.waiting_for.items())
        print_table(("waiting", "why"), [(str(count), reason) for reason, count in reasons])


def _row(queue: TaskQueueDescription) -> tuple[str, ...]:
    return (
        queue.name,
        "service" if queue.is_service else "task queue",
        "yes" if queue.is_served else "no",
        str(queue.running),
        str(queue.slots),
        str(queue.depth),
    )


def _fields(queue: TaskQueueDescription) -> dict[str, Any]:
    backlog = {str(key): count for key, count in queue.backlog.items()}
    return dataclasses.asdict(queue) | {"backlog": backlog, "depth": queue.depth}
