"""The lines of a live engine: how long each is, and what those in it wait for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.client._port import live_task_queues

__all__ = ["TaskQueueDescription", "task_queues"]


@dataclass(frozen=True, slots=True)
class TaskQueueDescription:
    """A task queue, or a service in another language, as it stands now."""

    name: str
    """Its name."""
    is_service: bool
    """Whether it is a service; else a task queue."""
    is_served: bool
    """Whether any worker serves it."""
    slots: int
    """How many attempts it takes at once."""
    running: int
    """How many it has."""
    activities_per_second: float | None
    """How many may begin in a second; None for no limit."""
    backlog: Mapping[int, int]
    """How many attempts wait in line, by priority key."""
    waiting_for: Mapping[str, int]
    """How many of them wait for what, such as a rate limit."""

    @property
    def depth(self) -> int:
        """How many attempts wait in line."""
        return sum(self.backlog.values())


async def task_queues(path: Path) -> list[TaskQueueDescription]:
    """The task queues and services of the engine that owns the store.

    Raises:
        NoWorkerError: No engine runs: only a live one knows.
    """
    return [_description(*each) for each in await live_task_queues(path)]


def _description(
    name: str,
    is_service: bool,
    is_served: bool,
    slots: int,
    running: int,
    per_second: float | None,
    *lines: Any,
) -> TaskQueueDescription:
    backlog, waiting_for = (dict(line) for line in lines)
    return TaskQueueDescription(
        name, is_service, is_served, slots, running, per_second, backlog, waiting_for
    )
