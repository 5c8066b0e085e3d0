"""`perdure activity fail`: fails an attempt of an activity."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command
from perdure.cli._output import print_json
from perdure.cli.activity._token import add_token, find_attempt
from perdure.errors import ApplicationError

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "fail",
        "fail an attempt of an activity",
        execute,
        text="Its retry policy says whether another follows.",
    )
    add_token(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for people")
    parser.add_argument(
        "--type", metavar="NAME", help="the error's type; ApplicationError by default"
    )
    parser.add_argument("--non-retryable", action="store_true", help="no attempt is to follow")


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_attempt(options)
    error = ApplicationError(options.reason, type=options.type, non_retryable=options.non_retryable)
    await handle.fail(error)
    if options.output == "json":
        print_json({"token": options.token})
    else:
        print("failed")
    return ExitCode.OK
