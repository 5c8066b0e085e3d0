"""`perdure workflow pause` and `unpause`: hold a run, and let it go on."""

from __future__ import annotations

import argparse

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json
from perdure.client import WorkflowHandle

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the two commands."""
    pausing = add_command(commands, "pause", "hold a run: its code takes no step", pause)
    add_run(pausing)
    pausing.add_argument("--reason", metavar="TEXT", help="why; `describe` shows it")
    unpausing = add_command(commands, "unpause", "let a paused run go on", unpause)
    add_run(unpausing)


async def pause(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    await handle.pause(options.reason)
    return _done("paused", handle, options)


async def unpause(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    handle = await find_run(options)
    await handle.unpause()
    return _done("goes on", handle, options)


def _done(what: str, handle: WorkflowHandle[object], options: argparse.Namespace) -> ExitCode:
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        print(f"{what}: {handle.id}, run {handle.run_id}")
    return ExitCode.OK
