"""`perdure workflow cancel` and `terminate`: two ways to end a run, with and without its code."""

from __future__ import annotations

import argparse
from functools import partial

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the two commands."""
    for verb, summary, done in (
        ("cancel", "ask a run to cancel itself", "asked to cancel"),
        ("terminate", "end a run without running its code", "terminated"),
    ):
        parser = add_command(commands, verb, summary, partial(_execute, verb, done))
        add_run(parser)
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the history")


async def _execute(verb: str, done: str, options: argparse.Namespace) -> ExitCode:
    handle = await find_run(options)
    ending = handle.cancel if verb == "cancel" else handle.terminate
    await ending(options.reason)
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"{done}: {handle.id}, run {handle.run_id}")
    return ExitCode.OK
