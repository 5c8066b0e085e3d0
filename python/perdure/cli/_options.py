"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

from perdure.cli._codec import find_converter
from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._interceptors import interceptors_of
from perdure.cli._values import read_input
from perdure.client import Client, WorkflowHandle
from perdure.converter import DataConverter
from perdure.errors import NotFoundError
from perdure.priority import Priority

__all__ = [
    "Commands",
    "Execute",
    "add_command",
    "add_group",
    "add_input",
    "add_namespace",
    "add_output",
    "add_priority",
    "add_run",
    "add_store",
    "arguments_of",
    "connect",
    "converter_of",
    "find_run",
    "priority_of",
]

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Execute: TypeAlias = Callable[[argparse.Namespace], Coroutine[Any, Any, ExitCode] | ExitCode]
STORE_VARIABLE = "PERDURE_STORE"
CODEC_VARIABLE = "PERDURE_CODEC"


def add_command(
    commands: Commands, name: str, summary: str, execute: Execute, *, text: str = ""
) -> argparse.ArgumentParser:
    """A command of that name; the summary stands in lists, the text in its own help."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}. {text}".strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(execute=execute)
    return parser


def add_group(commands: Commands, name: str, summary: str) -> Commands:
    """A command that has commands of its own; gives what these are added to."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        allow_abbrev=False,
    )
    return parser.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_output(parser: argparse.ArgumentParser) -> None:
    """`-o`: for people or for programs."""
    parser.add_argument(
        "-o",
        "--output",
        choices=("table", "json"),
        default="table",
        help="how to print: a table for people (default), or json for programs",
    )


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """`--namespace`."""
    parser.add_argument("--namespace", metavar="NAME", help="keeps workflows apart")


def add_store(parser: argparse.ArgumentParser) -> None:
    """`--store` and `--namespace`."""
    parser.add_argument(
        "--store",
        metavar="ADDRESS",
        help=f"the store, such as file:app.db; ${STORE_VARIABLE} or the configuration by default",
    )
    parser.add_argument(
        "--codec",
        metavar="MODULE:OBJECT",
        help=f"what its payloads are encoded with; ${CODEC_VARIABLE} or the configuration by "
        "default",
    )
    add_namespace(parser)


def add_run(parser: argparse.ArgumentParser) -> None:
    """Which run: the store, the workflow id, and `-o`."""
    parser.add_argument("workflow", metavar="ID", help="a workflow id, or a run id")
    parser.add_argument("--run-id", metavar="RUN", help="which of its runs; the latest by default")
    add_store(parser)
    add_output(parser)


def add_input(parser: argparse.ArgumentParser) -> None:
    """`--input`, once an argument."""
    parser.add_argument(
        "--input",
        "-i",
        metavar="JSON",
        action="append",
        default=[],
        help="an argument of the workflow, or @FILE; repeat it for further arguments",
    )


def add_priority(parser: argparse.ArgumentParser) -> None:
    """`--priority-key`, `--fairness-key`, `--fairness-weight`."""
    parser.add_argument(
        "--priority-key",
        type=int,
        choices=range(1, 6),
        help="which of the activity attempts that wait leaves first: 1 before 5; 3 by default",
    )
    parser.add_argument(
        "--fairness-key", metavar="KEY", help="whose it is: keys leave in turns; none by default"
    )
    parser.add_argument(
        "--fairness-weight",
        type=float,
        metavar="WEIGHT",
        help="how many turns its fairness key has for one of another; 1 by default",
    )


def priority_of(options: argparse.Namespace) -> Priority:
    """The priority that `add_priority` asks for.

    Raises:
        CommandError: It is out of range.
    """
    try:
        return Priority(options.priority_key, options.fairness_key, options.fairness_weight)
    except ValueError as error:
        raise CommandError(str(error)) from error


def arguments_of(options: argparse.Namespace) -> list[Any]:
    """The values of every `--input`."""
    return [read_input(text) for text in options.input]


def store_address(options: argparse.Namespace, configuration: Configuration) -> str | None:
    """The store's address from the option, the environment or the configuration."""
    return options.store or os.environ.get(STORE_VARIABLE) or configuration.store


def converter_of(options: argparse.Namespace, configuration: Configuration) -> DataConverter | None:
    """The data converter from the option, the environment or the configuration.

    Raises:
        CommandError: There is none of that name.
    """
    name = options.codec or os.environ.get(CODEC_VARIABLE)
    if name:
        return find_converter(name, Path.cwd())
    return find_converter(configuration.codec, configuration.directory)


async def connect(
    options: argparse.Namespace, *, configuration: Configuration | None = None, default: str = ""
) -> Client:
    """A client of the store that is meant.

    Raises:
        CommandError: No store is named, or there is no such address.
    """
    configuration = configuration or Configuration.find(Path.cwd())
    address = store_address(options, configuration) or default
    if not address:
        raise CommandError(
            f"which store? Give --store file:app.db, set {STORE_VARIABLE}, or write "
            'store = "file:app.db" in perdure.toml'
        )
    try:
        return await Client.connect(
            address,
            namespace=options.namespace or configuration.namespace,
            data_converter=converter_of(options, configuration),
            interceptors=interceptors_of(configuration),
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


async def find_run(options: argparse.Namespace) -> WorkflowHandle[Any]:
    """The run that is meant: by workflow id, or by run id.

    Raises:
        CommandError: There is none.
    """
    client = await connect(options)
    if not client.path.exists():
        raise CommandError(f"there is no store {client.path}", ExitCode.NOT_FOUND)
    if options.run_id is None:
        async for run in client.list_workflows(workflow_id=options.workflow):
            return await client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
    run_id = _normal_run_id(options.run_id or options.workflow)
    if run_id is not None:
        try:
            handle = await client.get_workflow_handle(options.workflow, run_id=run_id)
            described = await handle.describe()
        except NotFoundError:
            pass
        else:
            if options.run_id is None or described.workflow_id == options.workflow:
                return await client.get_workflow_handle(described.workflow_id, run_id=run_id)
    named = f" with run id {options.run_id}" if options.run_id else ""
    raise CommandError(
        f"there is no run of {options.workflow!r}{named} in {client.path}: "
        "`perdure workflow list` shows what there is",
        ExitCode.NOT_FOUND,
    )


def _normal_run_id(text: str) -> str | None:
    digits = text.replace("-", "").lower()
    sound = len(digits) == 32 and all(each in "0123456789abcdef" for each in digits)
    return digits if sound else None
