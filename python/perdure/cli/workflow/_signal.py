"""`perdure workflow signal`: sends a run a signal."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_input, add_run, arguments_of, find_run
from perdure.cli._output import print_json
from perdure.errors import EncodeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "signal", "send a run a signal", execute)
    add_run(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help="the signal's name")
    add_input(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    arguments = arguments_of(options)
    handle = await find_run(options)
    try:
        await handle.signal(options.name, *arguments)
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"sent {options.name} to {handle.id}, run {handle.run_id}")
    return ExitCode.OK
