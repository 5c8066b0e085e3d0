"""`perdure workflow reset` and `fork`: a run goes on from an earlier point, as another run."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_run, find_run
from perdure.cli._output import print_json
from perdure.cli._values import read_input
from perdure.errors import EncodeError

if TYPE_CHECKING:
    from perdure.client._reset import ResetPoint

__all__ = ["add"]

_RESET_TEXT = """
The run is ended, if it is open, and goes on under its id in a new run. Steps done before the point
keep their results, and those after it have the same idempotency keys as before.
`perdure workflow show` prints the numbers of events and commands.
"""
_FORK_TEXT = """
The run stays as it is. What follows the point is done by the new run, under keys of its own.
`perdure workflow show` prints the numbers of events and commands.
"""


def add(commands: Commands) -> None:
    """Adds the two commands."""
    for verb, summary, text in (
        ("reset", "go back to an event of a run, and on from there", _RESET_TEXT),
        ("fork", "begin another run with a run's history up to an event", _FORK_TEXT),
    ):
        parser = add_command(commands, verb, summary, partial(_execute, verb), text=text)
        add_run(parser)
        _add_point(parser)
        if verb == "fork":
            parser.add_argument("--id", required=True, metavar="ID", help="the fork's workflow id")
        parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept in the history")
        parser.add_argument(
            "--set-result",
            action="append",
            default=[],
            metavar="NUMBER=JSON",
            help="a result for the activity of this command, or @FILE; repeat it for further ones",
        )
        parser.add_argument(
            "--drop-signals",
            action="store_true",
            help="do not deliver later signals and updates again",
        )


def _add_point(parser: argparse.ArgumentParser) -> None:
    points = parser.add_mutually_exclusive_group(required=True)
    points.add_argument("--event", type=int, metavar="NUMBER", help="keep all before this event")
    for point, what in (
        ("first", "the first event after the start"),
        ("last", "the last event"),
        ("last-failure", "the last failure of an activity"),
    ):
        points.add_argument(
            f"--{point}",
            dest="point",
            action="store_const",
            const=point.replace("-", "_"),
            help=f"keep all before {what}",
        )


async def _execute(verb: str, options: argparse.Namespace) -> ExitCode:
    point: ResetPoint = options.point if options.event is None else options.event
    shared: dict[str, Any] = {
        "reason": options.reason,
        "results": _results_of(options.set_result),
        "keep_signals": not options.drop_signals,
    }
    handle = await find_run(options)
    try:
        if verb == "fork":
            made = await handle.fork(point, id=options.id, **shared)
        else:
            made = await handle.reset(point, **shared)
    except EncodeError as error:
        raise CommandError(f"--set-result: {error}") from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    if options.output == "json":
        print_json({"workflow_id": made.id, "run_id": made.run_id, "from_run_id": handle.run_id})
    else:
        done = "forked" if verb == "fork" else "reset"
        print(f"{done}: {handle.id}, run {handle.run_id} goes on as {made.id}, run {made.run_id}")
    return ExitCode.OK


def _results_of(given: list[str]) -> dict[int, Any]:
    results: dict[int, Any] = {}
    for text in given:
        number, equals, value = text.partition("=")
        if not equals or not number.isdecimal():
            raise CommandError(
                f"--set-result {text!r}: write the number of the command, = and JSON, such as "
                "4='\"paid\"'"
            )
        results[int(number)] = read_input(value)
    return results
