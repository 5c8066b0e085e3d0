"""Schedules: runs that are started at given times, with no process that must not die."""

from perdure.schedule._schedule import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleBackfill,
    ScheduleDescription,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRun,
    ScheduleState,
)
from perdure.schedule._spec import ScheduleIntervalSpec, ScheduleSpec

__all__ = [
    "Schedule",
    "ScheduleActionStartWorkflow",
    "ScheduleBackfill",
    "ScheduleDescription",
    "ScheduleIntervalSpec",
    "ScheduleOverlapPolicy",
    "SchedulePolicy",
    "ScheduleRun",
    "ScheduleSpec",
    "ScheduleState",
]
