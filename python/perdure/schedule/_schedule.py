"""What a schedule is made of, and what can be known of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from perdure.schedule._spec import ScheduleSpec
from perdure.spans import check_span
from perdure.workflow._definition import definition_of

__all__ = [
    "Schedule",
    "ScheduleActionStartWorkflow",
    "ScheduleBackfill",
    "ScheduleDescription",
    "ScheduleOverlapPolicy",
    "SchedulePolicy",
    "ScheduleRun",
    "ScheduleState",
]


class ScheduleOverlapPolicy(enum.StrEnum):
    """What happens at a time at which a run that the schedule started before is still open."""

    SKIP = "skip"
    """Nothing: the time is passed over."""
    BUFFER_ONE = "buffer_one"
    """One start waits until the open runs have ended; further times are passed over."""
    BUFFER_ALL = "buffer_all"
    """Every start waits for the end of the one before."""
    CANCEL_OTHER = "cancel_other"
    """The open run is asked to cancel itself; the start waits until it has ended."""
    TERMINATE_OTHER = "terminate_other"
    """The open run is terminated; the start follows."""
    ALLOW_ALL = "allow_all"
    """It is started beside the others."""


@dataclass(frozen=True, slots=True, init=False)
class ScheduleActionStartWorkflow:
    """Starts a run of a workflow."""

    workflow: str
    """The registered name of the workflow."""
    args: Sequence[Any]
    """Its arguments."""
    id: str
    """The workflow id's beginning; the time follows, as in `report-2026-11-25T12:00:00Z`."""
    task_queue: str
    """Who serves it."""
    run_timeout: timedelta | None
    """The longest a run may take; None for no limit."""
    headers: Mapping[str, str]
    """Texts that travel along."""

    def __init__(
        self,
        workflow: str | type | Callable[..., Any],
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        task_queue: str = "default",
        run_timeout: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """An action.

        Args:
            workflow: A workflow function, a class's run method, or a registered name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            id: What the runs' workflow ids begin with; the workflow's name by default.
            task_queue: Who serves it; `default` by default.
            run_timeout: The longest a run may take; no limit by default.
            headers: Texts that travel along; none by default.

        Raises:
            TypeError: No workflow, its arguments do not fit, or `run_timeout` is no `timedelta`.
            ValueError: `run_timeout` is not longer than zero.
        """
        check_span("run_timeout", run_timeout)
        if run_timeout is not None and run_timeout <= timedelta(0):
            raise ValueError("run_timeout must be longer than zero, or None for no limit")
        arguments = (*arguments, *args)
        if not isinstance(workflow, str):
            definition = definition_of(workflow)
            arguments = definition.positional(*arguments)
            workflow = definition.name
        # The class is frozen: there is no other way to set its fields.
        object.__setattr__(self, "workflow", workflow)
        object.__setattr__(self, "args", list(arguments))
        object.__setattr__(self, "id", id if id is not None else workflow)
        object.__setattr__(self, "task_queue", task_queue)
        object.__setattr__(self, "run_timeout", run_timeout)
        object.__setattr__(self, "headers", dict(headers or {}))


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """How a schedule behaves when not everything goes as planned."""

    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP
    """What happens while a run is still open; `SKIP` by default."""
    catchup_window: timedelta = timedelta(days=365)
    """How late a time is made up for after an outage; a year by default. Others are counted."""
    pause_on_failure: bool = False
    """Whether a run that fails, times out or is terminated pauses the schedule; False by default.
    """


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """Whether a schedule acts."""

    paused: bool = False
    """Whether times are passed over; False by default."""
    note: str = ""
    """Why, for people; empty by default."""
    remaining_actions: int | None = None
    """How many times it acts yet, triggers and backfills aside; no limit by default."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What to do, when, and how."""

    action: ScheduleActionStartWorkflow
    """What it does."""
    spec: ScheduleSpec = field(default_factory=ScheduleSpec)
    """When; never by itself by default."""
    policy: SchedulePolicy = field(default_factory=SchedulePolicy)
    """How it behaves; see there for the defaults."""
    state: ScheduleState = field(default_factory=ScheduleState)
    """Whether it acts; it does by default."""


@dataclass(frozen=True, slots=True)
class ScheduleBackfill:
    """A past span whose times are to be acted on now."""

    start_at: datetime
    """The first instant of the span."""
    end_at: datetime
    """The last instant of the span."""
    overlap: ScheduleOverlapPolicy | None = None
    """What happens while a run is open; the schedule's own policy by default."""


@dataclass(frozen=True, slots=True)
class ScheduleRun:
    """A run that a schedule has started."""

    scheduled_time: datetime
    """The time for which it was started, in UTC."""
    workflow_id: str
    """Its workflow id."""
    run_id: str
    """The run."""


@dataclass(frozen=True, slots=True)
class ScheduleDescription:
    """How a schedule stands."""

    schedule: Schedule
    """What it is to do; `schedule.state` says whether it is paused."""
    next_action_times: list[datetime]
    """When it acts next, in UTC, jitter included; empty when it never will."""
    running: list[ScheduleRun]
    """Open runs that it started."""
    recent: list[ScheduleRun]
    """The last ten runs that it started, the newest last."""
    action_count: int
    """How many runs it has started."""
    skipped_count: int
    """How many times were passed over since a run was open or the workflow id was taken."""
    missed_count: int
    """How many times were passed over since they were later than the catch-up window."""
    waiting_count: int
    """How many starts wait for the end of a run."""
