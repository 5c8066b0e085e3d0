"""`perdure workflow query`: asks a run about its state."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_input, add_run, arguments_of, find_run
from perdure.cli._output import print_json
from perdure.errors import EncodeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "query", "ask a run about its state", execute)
    add_run(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help="the query's name")
    add_input(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    arguments = arguments_of(options)
    handle = await find_run(options)
    try:
        print_json(await handle.query(options.name, *arguments))
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error
    return ExitCode.OK
