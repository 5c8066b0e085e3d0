"""`perdure schedule trigger|pause|unpause|backfill|delete ID`."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_store, connect
from perdure.client import ScheduleHandle
from perdure.schedule import ScheduleOverlapPolicy

__all__ = ["add"]

Act: TypeAlias = Callable[[ScheduleHandle, argparse.Namespace], Awaitable[None]]


def add(commands: Commands) -> None:
    """Adds the commands."""
    trigger = _add(commands, "trigger", "act now", _trigger, "triggered")
    _add_overlap(trigger)
    for name, summary, act, done in (
        ("pause", "pass over all times from now on", _pause, "paused"),
        ("unpause", "act again, from now on", _unpause, "unpaused"),
    ):
        verb = _add(commands, name, summary, act, done)
        verb.add_argument("--note", default="", metavar="TEXT", help="why, for people")
    backfill = _add(commands, "backfill", "act for a past span", _backfill, "backfilling")
    for name, which in (("--from", "the first instant"), ("--to", "the last instant")):
        backfill.add_argument(
            name,
            dest=f"{name[2:]}_time",
            required=True,
            type=_time,
            metavar="TIME",
            help=f"{which}, such as 2026-11-25T09:00:00Z",
        )
    _add_overlap(backfill)
    _add(commands, "delete", "end a schedule; its runs go on", _delete, "deleted")


def _add(
    commands: Commands, name: str, summary: str, act: Act, done: str
) -> argparse.ArgumentParser:
    parser = add_command(commands, name, summary, partial(_execute, act, done))
    parser.add_argument("schedule", metavar="ID", help="the schedule's name")
    add_store(parser)
    return parser


def _add_overlap(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overlap-policy",
        choices=[str(each) for each in ScheduleOverlapPolicy],
        help="what happens while a run is open; the schedule's own by default",
    )


async def _execute(act: Act, done: str, options: argparse.Namespace) -> ExitCode:
    client = await connect(options)
    await act(client.get_schedule_handle(options.schedule), options)
    print(f"{done} {options.schedule}")
    return ExitCode.OK


def _overlap(options: argparse.Namespace) -> ScheduleOverlapPolicy | None:
    chosen: str | None = options.overlap_policy
    return None if chosen is None else ScheduleOverlapPolicy(chosen)


async def _trigger(schedule: ScheduleHandle, options: argparse.Namespace) -> None:
    await schedule.trigger(overlap=_overlap(options))


async def _pause(schedule: ScheduleHandle, options: argparse.Namespace) -> None:
    await schedule.pause(options.note)


async def _unpause(schedule: ScheduleHandle, options: argparse.Namespace) -> None:
    await schedule.unpause(options.note)


async def _backfill(schedule: ScheduleHandle, options: argparse.Namespace) -> None:
    if options.to_time < options.from_time:
        raise CommandError("--to is before --from")
    await schedule.backfill(options.from_time, options.to_time, overlap=_overlap(options))


async def _delete(schedule: ScheduleHandle, _options: argparse.Namespace) -> None:
    await schedule.delete()


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
