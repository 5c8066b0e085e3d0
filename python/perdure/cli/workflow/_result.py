"""`perdure workflow result`: waits for a run."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._results import print_outcome

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    add_run(add_command(commands, "result", "wait for a run and print its result", execute))


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    return await print_outcome(await find_run(options), options.output)
