"""`perdure history export ID`: a run's history as JSON lines, lossless."""

from __future__ import annotations

import argparse
from pathlib import Path

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_group, add_store, find_run
from perdure.cli._output import notice

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "history", "export histories")
    export = add_command(verbs, "export", "write a history as JSON lines", execute)
    export.add_argument("workflow", metavar="ID", help="a workflow id, or a run id")
    export.add_argument("--run-id", metavar="RUN", help="which of its runs; the latest by default")
    export.add_argument("--file", type=Path, metavar="FILE", help="where to; stdout by default")
    add_store(export)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs `history export`."""
    handle = await find_run(options)
    text = await handle.fetch_history()
    if options.file is None:
        print(text.rstrip("\n"))
        return ExitCode.OK
    try:
        options.file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{options.file} cannot be written: {error.strerror}") from error
    notice(f"{len(text.splitlines())} lines to {options.file}")
    return ExitCode.OK
