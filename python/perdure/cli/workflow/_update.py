"""`perdure workflow update`: sends a run an update, and prints what its handler returns."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_input, add_run, arguments_of, find_run
from perdure.cli._output import print_json
from perdure.errors import EncodeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "update", "send a run an update and print its result", execute)
    add_run(parser)
    parser.add_argument("--name", required=True, metavar="NAME", help="the update's name")
    parser.add_argument(
        "--update-id",
        metavar="ID",
        help="unique in the run: sent again, it is not handled again; a random one by default",
    )
    add_input(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    arguments = arguments_of(options)
    handle = await find_run(options)
    try:
        print_json(await handle.execute_update(options.name, *arguments, id=options.update_id))
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error
    return ExitCode.OK
