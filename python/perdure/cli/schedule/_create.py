"""`perdure schedule create ID`."""

from __future__ import annotations

import argparse
from datetime import timedelta

from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_input, add_store, arguments_of, connect
from perdure.errors import EncodeError, ScheduleAlreadyRunningError
from perdure.schedule import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

__all__ = ["add"]


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "create", "make a schedule", execute)
    parser.add_argument("schedule", metavar="ID", help="the schedule's name")
    parser.add_argument("--type", required=True, metavar="NAME", help="the workflow to start")
    add_input(parser)
    parser.add_argument(
        "--workflow-id", metavar="ID", help="what the workflow ids begin with; NAME by default"
    )
    parser.add_argument("--task-queue", default="default", metavar="NAME", help="who serves it")
    parser.add_argument(
        "--cron",
        action="append",
        default=[],
        metavar="EXPRESSION",
        help="when, such as '0 9 * * MON-FRI'; repeat it for further times",
    )
    parser.add_argument(
        "--interval",
        action="append",
        default=[],
        type=float,
        metavar="SECONDS",
        help="every so often; repeat it for further intervals",
    )
    parser.add_argument(
        "--time-zone", default="UTC", metavar="ZONE", help="of the expressions; UTC by default"
    )
    parser.add_argument(
        "--overlap-policy",
        choices=[str(each) for each in ScheduleOverlapPolicy],
        default=str(ScheduleOverlapPolicy.SKIP),
        help="what happens while a run is open; skip by default",
    )
    add_store(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    action = ScheduleActionStartWorkflow(
        options.type,
        args=arguments_of(options),
        id=options.workflow_id,
        task_queue=options.task_queue,
    )
    try:
        spec = ScheduleSpec(
            options.cron,
            [ScheduleIntervalSpec(timedelta(seconds=each)) for each in options.interval],
            options.time_zone,
        )
    except ValueError as error:
        raise CommandError(str(error)) from error
    policy = SchedulePolicy(ScheduleOverlapPolicy(options.overlap_policy))
    client = await connect(options)
    try:
        await client.create_schedule(options.schedule, Schedule(action, spec, policy))
    except (EncodeError, ScheduleAlreadyRunningError) as error:
        raise CommandError(str(error)) from error
    print(f"created {options.schedule}")
    return ExitCode.OK
