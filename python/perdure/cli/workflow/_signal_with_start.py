"""`perdure workflow signal-with-start TYPE`: sends a signal to a run, started if need be."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command
from perdure.cli._values import read_input
from perdure.cli.workflow._start import add_start, start

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    about = "send a signal to the open run of an id, or start that run with it"
    parser = add_command(commands, "signal-with-start", about, execute)
    add_start(parser)
    parser.add_argument("--id", metavar="ID", required=True, help="the workflow id")
    parser.add_argument("--name", required=True, metavar="NAME", help="the signal's name")
    parser.add_argument(
        "--signal-input",
        metavar="JSON",
        action="append",
        default=[],
        help="an argument of the signal, or @FILE; repeat it for further arguments",
    )


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    arguments = [read_input(text) for text in options.signal_input]
    return await start(options, options.name, arguments)
