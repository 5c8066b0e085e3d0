"""What a workflow can know of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

__all__ = ["Info"]


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
