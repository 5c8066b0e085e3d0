"""What a workflow can know of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from perdure import _runtime

__all__ = ["Info", "ParentInfo"]


@dataclass(frozen=True, slots=True)
class ParentInfo:
    """The run that started this one as its child."""

    workflow_id: str
    """Its workflow id."""
    run_id: str
    """The run."""


@dataclass(frozen=True, slots=True)
class Info:
    """One run."""

    workflow_id: str
    """The user's name for the run."""
    run_id: str
    """The run."""
    workflow_type: str
    """The workflow's registered name."""
    namespace: str
    """The namespace."""
    task_queue: str
    """The task queue."""
    start_time: datetime
    """When the run was started, in UTC."""
    run_timeout: timedelta | None
    """The longest the run may take; None when there is no limit."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """User headers."""
    continued_run_id: str | None = None
    """The run that this one follows; None in the first."""
    parent: ParentInfo | None = None
    """The parent; None unless the run is a child."""
    attempt: int = 1
    """Which attempt this run is, from 1: the client's `retry_policy` makes further ones."""

    def get_current_history_length(self) -> int:
        """How many events and commands the run's history has so far."""
        return _runtime.require("Info.get_current_history_length").history_size()[0]

    def get_current_history_size(self) -> int:
        """How many bytes the values in it have so far: arguments, results and what messages
        brought.
        """
        return _runtime.require("Info.get_current_history_size").history_size()[1]

    def is_continue_as_new_suggested(self) -> bool:
        """Whether the history has 10,000 events and commands, or 10 MiB of values, so that the run
        should continue as new: it costs time and memory to replay. No run is stopped for that.
        """
        return _runtime.require("Info.is_continue_as_new_suggested").history_size()[2]

    search_attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the run is found by, as it stands now."""
