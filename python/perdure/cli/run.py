"""`perdure run FILE:workflow`: hosts what a file defines, runs one workflow, prints the result."""

from __future__ import annotations

import argparse
import contextlib
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._hosting import hosting_worker, log_to_stderr
from perdure.cli._options import (
    Commands,
    add_command,
    add_input,
    add_output,
    add_store,
    arguments_of,
    connect,
)
from perdure.cli._output import notice
from perdure.cli._program import load
from perdure.cli._results import print_outcome
from perdure.client import Client, WorkflowHandle
from perdure.client._arguments import check_arguments
from perdure.errors import DecodeError, EncodeError, WorkflowAlreadyStartedError
from perdure.workflow._definition import WorkflowDefinition

__all__ = ["add"]

_TEXT = """
Without --store the run lives in a temporary store and is gone at the end. With one it survives:
the same command with the same --id goes on with the run that is open.

  perdure run shop.py:checkout --input '"o-1"' --store file:app.db --id o-1
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "run", "run one workflow of a file", execute, text=_TEXT)
    parser.add_argument("target", metavar="FILE[:WORKFLOW]", help="a file or a module")
    add_input(parser)
    add_store(parser)
    parser.add_argument("--id", metavar="ID", help="the workflow id; a random one by default")
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    log_to_stderr()
    # What parks the run is printed as its outcome.
    logging.getLogger("perdure.worker").setLevel(logging.CRITICAL)
    file, _, name = options.target.partition(":")
    configuration = Configuration.find(Path.cwd())
    program = load([file])
    definition = program.workflow(name or None, file)
    arguments = _arguments(definition, arguments_of(options))
    with contextlib.ExitStack() as stack:
        default = f"file:{stack.enter_context(_temporary_folder())}/run.db"
        # A project's own store is for its workers; a run that is tried out leaves it alone.
        bare = replace(configuration, file=None, store=None)
        client = await connect(options, configuration=bare, default=default)
        async with hosting_worker(client, program, configuration):
            handle = await _begin(client, definition, arguments, options.id)
            return await print_outcome(handle, options.output)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="perdure-run-", ignore_cleanup_errors=True)


def _arguments(definition: WorkflowDefinition[..., Any], arguments: list[Any]) -> tuple[Any, ...]:
    try:
        positional = definition.positional(*arguments)
        check_arguments(definition, positional)
    except TypeError as error:
        message = f"{definition.name}{definition.signature}: {error}: give --input once an argument"
        raise CommandError(message) from error
    except (DecodeError, EncodeError) as error:
        message = f"--input: {definition.name}{definition.signature}: {error}"
        raise CommandError(message) from error
    return positional


async def _begin(
    client: Client,
    definition: WorkflowDefinition[..., Any],
    arguments: tuple[Any, ...],
    workflow_id: str | None,
) -> WorkflowHandle[Any]:
    """A new run, or the open one of this id, that an interrupted command left behind."""
    # By name: the result stays as it was recorded, whatever type the code gives it.
    try:
        return await client.start_workflow(definition.name, *arguments, id=workflow_id)
    except WorkflowAlreadyStartedError as error:
        notice(f"run {error.run_id} of {error.workflow_id!r} is open: it goes on")
        return await client.get_workflow_handle(error.workflow_id, run_id=error.run_id)
