"""The command `perdure demo`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from perdure.cli._exit import ExitCode
from perdure.cli._options import Commands, add_command, add_output
from perdure.cli._output import notice, print_json
from perdure.cli.demo._languages import LANGUAGES, find_language
from perdure.cli.demo._tour import Tour

__all__ = ["add"]

_TEXT = """
A workflow runs in a process of its own, with steps in Python and in another language. In the
middle that process is killed with SIGKILL, and started again. About ten seconds.
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "demo", "watch a workflow survive kill -9", execute, text=_TEXT)
    parser.add_argument(
        "--language",
        choices=[each.name for each in LANGUAGES],
        help="the other language; the first that is found by default",
    )
    parser.add_argument(
        "--step-ms", type=int, default=400, metavar="MS", help="how long a step takes; 400"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the store here")
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    found = find_language(options.language)
    with tempfile.TemporaryDirectory(prefix="perdure-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command: list[str] = []
        if found is not None:
            language, program = found
            if language.name == "go":
                notice("Building the Go worker …")
            command = language.command(program, folder)
        if options.keep is not None:
            options.keep.mkdir(parents=True, exist_ok=True)
            folder = options.keep
        quiet = options.output == "json"
        title = None if found is None else found[0].title
        tour = Tour(folder, command, title, step_ms=options.step_ms, quiet=quiet)
        summary = await tour.run()
    if quiet:
        print_json(summary.fields())
    return ExitCode.OK if summary.nothing_lost else ExitCode.FAILURE
