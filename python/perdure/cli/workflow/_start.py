"""`perdure workflow start TYPE`."""

from __future__ import annotations

import argparse
from datetime import timedelta

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import (
    Commands,
    add_command,
    add_input,
    add_output,
    add_store,
    arguments_of,
    connect,
)
from perdure.cli._output import print_json
from perdure.errors import EncodeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "start", "start a run, and do not wait for it", execute)
    parser.add_argument("type", metavar="TYPE", help="the workflow's registered name")
    add_input(parser)
    parser.add_argument("--id", metavar="ID", help="the workflow id; a random one by default")
    parser.add_argument("--task-queue", metavar="NAME", help="who serves it")
    parser.add_argument(
        "--run-timeout", type=float, metavar="SECONDS", help="the longest the run may take"
    )
    add_store(parser)
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    arguments = arguments_of(options)
    client = await connect(options)
    seconds: float | None = options.run_timeout
    try:
        handle = await client.start_workflow(
            options.type,
            *arguments,
            id=options.id,
            task_queue=options.task_queue,
            run_timeout=None if seconds is None else timedelta(seconds=seconds),
        )
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"started {handle.id} as run {handle.run_id}")
    return ExitCode.OK
