"""The verbs of `perdure batch`, and the runs that each is for."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_group, add_input, arguments_of
from perdure.cli.batch._batch import Batch, add_batch, execute
from perdure.client import WorkflowHandle
from perdure.errors import EncodeError

__all__ = ["add"]

Send: TypeAlias = Callable[[WorkflowHandle[Any]], Awaitable[None]]

OPEN = frozenset({"running", "parked", "paused"})


def add(commands: Commands) -> None:
    """Adds the commands."""
    verbs = add_group(commands, "batch", "do one thing to all runs that a query finds")
    signal = _add(verbs, "signal", "send open runs a signal", OPEN, _signal)
    signal.add_argument("--name", required=True, metavar="NAME", help="the signal's name")
    add_input(signal)
    for name, summary, statuses, sending in (
        ("cancel", "ask open runs to cancel themselves", OPEN, _cancel),
        ("terminate", "end open runs without running their code", OPEN, _terminate),
        ("pause", "hold open runs: their code takes no step", OPEN - {"paused"}, _pause),
    ):
        verb = _add(verbs, name, summary, statuses, sending)
        verb.add_argument("--reason", default="", metavar="TEXT", help="why; kept with each run")
    _add(verbs, "unpause", "let paused runs go on", frozenset({"paused"}), _unpause)
    _add(verbs, "unpark", "try parked runs again now", frozenset({"parked"}), _unpark)


def _add(
    verbs: Commands,
    name: str,
    summary: str,
    statuses: frozenset[str],
    sending: Callable[[argparse.Namespace], Send],
) -> argparse.ArgumentParser:
    run = partial(_execute, Batch(name, statuses), sending)
    parser = add_command(verbs, name, summary, run)
    add_batch(parser)
    return parser


async def _execute(
    batch: Batch, sending: Callable[[argparse.Namespace], Send], options: argparse.Namespace
) -> ExitCode:
    try:
        return await execute(batch, sending(options), options)
    except EncodeError as error:
        raise CommandError(f"--input: {error}") from error


def _signal(options: argparse.Namespace) -> Send:
    arguments = arguments_of(options)
    return lambda handle: handle.signal(options.name, *arguments)


def _cancel(options: argparse.Namespace) -> Send:
    return lambda handle: handle.cancel(options.reason)


def _terminate(options: argparse.Namespace) -> Send:
    return lambda handle: handle.terminate(options.reason)


def _pause(options: argparse.Namespace) -> Send:
    return lambda handle: handle.pause(options.reason)


def _unpause(_options: argparse.Namespace) -> Send:
    return lambda handle: handle.unpause()


def _unpark(_options: argparse.Namespace) -> Send:
    return lambda handle: handle.unpark()
