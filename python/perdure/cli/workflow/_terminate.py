"""`perdure workflow terminate`: ends a run without running its code."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "terminate", "end a run without running its code", execute)
    add_run(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the history")


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    await handle.terminate(options.reason)
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"terminated: {handle.id}, run {handle.run_id}")
    return ExitCode.OK
