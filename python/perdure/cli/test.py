"""`perdure test record ID PROGRAM`: a recorded run becomes a test that needs nothing else."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_group, add_store, find_run
from perdure.cli._output import notice
from perdure.cli._program import load

__all__ = ["add"]

_TEXT = """
Writes DIR/ID.jsonl, the history, and DIR/test_ID.py, which replays it with pytest: activities
answer as they did, and the code must ask for the same and come to the same.
"""

_TEST = '''\
"""The run {workflow_id} of {workflow_type}, as it was recorded: {status}."""

from pathlib import Path

from perdure.testing import assert_replays
from {module} import {name}


def test_{identifier}() -> None:
    assert_replays(Path(__file__).with_name("{file}"), workflows=[{name}])
'''


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "test", "make tests of runs")
    record = add_command(verbs, "record", "write a run as an offline test", execute, text=_TEXT)
    record.add_argument("workflow", metavar="ID", help="a workflow id, or a run id")
    record.add_argument(
        "program", metavar="PROGRAM", nargs="?", help="the workflow's file or module: shop.py"
    )
    record.add_argument("--run-id", metavar="RUN", help="which of its runs; the latest by default")
    record.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        default=Path("tests/recorded"),
        help="where to; tests/recorded by default",
    )
    add_store(record)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs `test record`."""
    configuration = Configuration.find(Path.cwd())
    targets = [options.program] if options.program else list(configuration.modules)
    if not targets:
        raise CommandError("of which code? Name its file or module, or list it in perdure.toml")
    program = load(targets, None if options.program else configuration.directory)
    handle = await find_run(options)
    run = await handle.describe()
    definition: Any = program.workflow(run.workflow_type, targets[0])
    target: Any = definition.cls or definition
    if "<" in target.__qualname__ or "." in target.__qualname__:
        raise CommandError(f"{target.__qualname__} cannot be imported by a test: move it out")
    identifier = re.sub(r"\W+", "_", handle.id).strip("_").lower() or "run"
    history, test = options.dir / f"{identifier}.jsonl", options.dir / f"test_{identifier}.py"
    text = _TEST.format(
        workflow_id=_quoted(handle.id),
        workflow_type=run.workflow_type,
        status=run.status,
        module=target.__module__,
        name=target.__qualname__,
        identifier=identifier,
        file=history.name,
    )
    try:
        options.dir.mkdir(parents=True, exist_ok=True)
        history.write_text(await handle.fetch_history(), encoding="utf-8")
        test.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{options.dir} cannot be written: {error.strerror}") from error
    notice(f"{test} and {history}")
    return ExitCode.OK


def _quoted(text: str) -> str:
    """Such that it can stand in a docstring."""
    return repr(text).replace('"""', "'''").replace("\\", "/")
