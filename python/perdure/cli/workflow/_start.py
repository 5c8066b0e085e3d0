"""`perdure workflow start TYPE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, TypeVar

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import (
    Commands,
    add_command,
    add_input,
    add_output,
    add_priority,
    add_store,
    arguments_of,
    connect,
    priority_of,
)
from perdure.cli._output import print_json
from perdure.errors import EncodeError
from perdure.id_policy import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

Policy = TypeVar("Policy", WorkflowIDReusePolicy, WorkflowIDConflictPolicy)

__all__ = ["add", "add_start", "start"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "start", "start a run, and do not wait for it", execute)
    add_start(parser)
    parser.add_argument("--id", metavar="ID", help="the workflow id; a random one by default")


def add_start(parser: argparse.ArgumentParser) -> None:
    """What to start, but for its id."""
    parser.add_argument("type", metavar="TYPE", help="the workflow's registered name")
    add_input(parser)
    parser.add_argument("--task-queue", metavar="NAME", help="who serves it")
    parser.add_argument(
        "--run-timeout", type=float, metavar="SECONDS", help="the longest the run may take"
    )
    parser.add_argument(
        "--execution-timeout",
        type=float,
        metavar="SECONDS",
        help="the longest the run and all that follow it may take",
    )
    parser.add_argument(
        "--start-delay", type=float, metavar="SECONDS", help="how long after the start it begins"
    )
    parser.add_argument(
        "--id-reuse-policy",
        choices=[policy.value for policy in WorkflowIDReusePolicy],
        help="whether closed runs of the id stand in the way; allow_duplicate by default",
    )
    parser.add_argument(
        "--id-conflict-policy",
        choices=[policy.value for policy in WorkflowIDConflictPolicy],
        help="what becomes of an open run of the id; by default the start fails",
    )
    add_priority(parser)
    add_store(parser)
    add_output(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    return await start(options)


async def start(
    options: argparse.Namespace, signal: str | None = None, signal_arguments: Sequence[Any] = ()
) -> ExitCode:
    """Starts a run, with a signal or without, and says which."""
    arguments = arguments_of(options)
    client = await connect(options)
    try:
        handle = await client.start_workflow(
            options.type,
            *arguments,
            id=options.id,
            task_queue=options.task_queue,
            run_timeout=_span(options.run_timeout),
            execution_timeout=_span(options.execution_timeout),
            start_delay=_span(options.start_delay),
            id_reuse_policy=_policy(WorkflowIDReusePolicy, options.id_reuse_policy),
            id_conflict_policy=_policy(WorkflowIDConflictPolicy, options.id_conflict_policy),
            priority=priority_of(options),
            start_signal=signal,
            start_signal_args=signal_arguments,
        )
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    if options.output == "json":
        print_json({"workflow_id": handle.id, "run_id": handle.run_id})
    else:
        done = "started" if signal is None else f"sent {signal} to"
        print(f"{done} {handle.id} as run {handle.run_id}")
    return ExitCode.OK


def _policy(policies: type[Policy], name: str | None) -> Policy | None:
    return None if name is None else policies(name)


def _span(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
