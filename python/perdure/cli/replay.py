"""`perdure replay`: recorded histories against today's workflows, before these are deployed."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._interceptors import interceptors_of
from perdure.cli._options import Commands, add_command, add_output, add_store, connect, converter_of
from perdure.cli._output import notice, print_json
from perdure.cli._program import load
from perdure.cli._progress import Progress

if TYPE_CHECKING:
    from perdure.testing import Replayer, WorkflowHistory, WorkflowReplayResult
    from perdure.testing import WorkflowReplayResults as Results

__all__ = ["add"]

_TEXT = """
A target is a workflow file or module, or else a folder or file of exported histories. Without
histories the store is replayed; without workflows, the configuration's `modules` are.
Exit code 0: every history fits the code. 1: one does not, or cannot be read.
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "replay", "replay recorded runs with today's code", execute, text=_TEXT
    )
    parser.add_argument(
        "targets", metavar="TARGET", nargs="*", help="shop.py, shop.workflows, or histories/"
    )
    parser.add_argument("--workflow-type", metavar="NAME", help="only this workflow type")
    parser.add_argument("--open", action="store_true", help="leave out runs that have ended")
    parser.add_argument(
        "--processes",
        metavar="N",
        type=int,
        help="how many replay; as many as there are cores by default, when there is much to do",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="report also clocks and randomness that are not the run's, such as datetime.now()",
    )
    parser.add_argument("--junit", metavar="FILE", type=Path, help="writes JUnit XML there too")
    add_store(parser)
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    # Here, so that the other commands need not wait for it.
    from perdure.cli._replay_report import print_report, report_fields
    from perdure.testing import Replayer

    configuration = Configuration.find(Path.cwd())
    places, targets = _sorted_targets(options.targets)
    directory = None if targets else configuration.directory
    targets = targets or list(configuration.modules)
    if not targets:
        raise CommandError("with which code? Name files or modules, or list them in perdure.toml")
    if options.processes is not None and options.processes < 1:
        raise CommandError(f"--processes {options.processes}: at least 1")
    # What workflow code prints must not come between the lines of the report.
    with contextlib.redirect_stdout(sys.stderr):
        program = load(targets, directory)
        histories = await _histories(options, configuration, places)
        replayer = Replayer(
            workflows=list(program.workflows.values()),
            processes=options.processes,
            strict=options.strict,
            interceptors=interceptors_of(configuration),
            data_converter=converter_of(options, configuration),
        )
        began = time.monotonic()
        results = await _replay(replayer, histories)
        took_s = time.monotonic() - began
    if options.junit is not None:
        from perdure.cli._junit import junit_text

        _write(options.junit, junit_text(results))
    if options.output == "json":
        print_json(report_fields(results))
    else:
        print_report(results)
    count = "1 history" if len(histories) == 1 else f"{len(histories):,} histories"
    notice(f"replayed {count} in {took_s:.1f}s")
    return ExitCode.OK if results.is_ok else ExitCode.FAILURE


def _sorted_targets(targets: list[str]) -> tuple[list[str], list[str]]:
    """Histories, and code: what is no Python file and no package, but exists, holds histories."""
    places: list[str] = []
    code: list[str] = []
    for target in targets:
        path = Path(target)
        if "/" in target and not path.exists():
            raise CommandError(f"there is no file or folder {target}", ExitCode.NOT_FOUND)
        is_code = path.suffix == ".py" or (path / "__init__.py").is_file()
        (places if path.exists() and not is_code else code).append(target)
    return places, code


async def _histories(
    options: argparse.Namespace, configuration: Configuration, places: list[str]
) -> list[WorkflowHistory]:
    from perdure.testing import find_histories

    sources: list[str | Path] = [Path(place) for place in places]
    namespace: str | None = options.namespace
    if options.store is not None or not places:
        client = await connect(options, configuration=configuration)
        sources.append(f"file:{client.path}")
        namespace = client.namespace
    wanted: str | None = options.workflow_type
    found: list[WorkflowHistory] = []
    for source in sources:
        found += find_histories(
            source, namespace=namespace, workflow_type=wanted, open_only=options.open
        )
    if not found:
        of_type = f" of workflow type {wanted!r}" if wanted else ""
        of_type = f"{of_type} of open runs" if options.open else of_type
        where = ", ".join(str(source) for source in sources)
        # A green light for nothing would be a false one.
        raise CommandError(f"there are no histories{of_type} in {where}", ExitCode.NOT_FOUND)
    return found


async def _replay(replayer: Replayer, histories: list[WorkflowHistory]) -> Results:
    from perdure.testing import WorkflowReplayResults

    results: list[WorkflowReplayResult] = []
    with Progress("replaying", len(histories)) as progress:
        async with replayer.workflow_replay_iterator(histories) as replayed:
            async for result in replayed:
                results.append(result)
                progress.step()
    results.sort(key=lambda result: result.index)
    return WorkflowReplayResults(tuple(results))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror}") from error
