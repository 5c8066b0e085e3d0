"""`perdure workflow unpark`: tries a parked run again now."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "unpark", "try a parked run again now", execute)
    add_run(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    await handle.unpark()
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"tried again: {handle.id}, run {handle.run_id}")
    return ExitCode.OK
