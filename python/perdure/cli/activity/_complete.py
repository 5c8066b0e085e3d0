"""`perdure activity complete`: gives an activity its result."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command
from perdure.cli._output import print_json
from perdure.cli._values import read_input
from perdure.cli.activity._token import add_token, find_attempt
from perdure.errors import EncodeError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "complete", "give an activity its result", execute)
    add_token(parser)
    parser.add_argument(
        "--result",
        metavar="JSON",
        default="null",
        help="what it returns, or @FILE; null by default",
    )


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    result = read_input(options.result)
    handle = await find_attempt(options)
    try:
        await handle.complete(result)
    except EncodeError as error:
        raise CommandError(f"--result: {error}") from error
    if options.output == "json":
        print_json({"token": options.token})
    else:
        print("completed")
    return ExitCode.OK
