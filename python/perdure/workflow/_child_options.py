"""How a child workflow is run; every field has a default."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from perdure.priority import Priority
from perdure.spans import check_span

__all__ = ["ChildOptions", "ChildWorkflowCancellationType", "ParentClosePolicy"]


class ParentClosePolicy(enum.Enum):
    """What becomes of a child when its parent closes first."""

    TERMINATE = "terminate"
    """It is ended without running its code."""
    REQUEST_CANCEL = "request_cancel"
    """It is asked to cancel itself."""
    ABANDON = "abandon"
    """It goes on."""


class ChildWorkflowCancellationType(enum.Enum):
    """What cancelling an awaited child does."""

    WAIT_CANCELLATION_COMPLETED = "wait_completed"
    """Ask the child to cancel itself, and wait until it has ended."""
    TRY_CANCEL = "try"
    """Ask the child, and raise `CancelledError` in the parent at once."""
    ABANDON = "abandon"
    """Do not tell the child."""


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a child workflow is run."""

    id: str | None = None
    """Its workflow id; one made of the parent's run id by default."""
    task_queue: str | None = None
    """Who serves it; the parent's task queue by default."""
    run_timeout: timedelta | None = None
    """The longest it may take; no limit by default."""
    parent_close_policy: ParentClosePolicy = ParentClosePolicy.TERMINATE
    """What becomes of it when the parent closes first; `TERMINATE` by default."""
    cancellation_type: ChildWorkflowCancellationType = (
        ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
    )
    """What cancelling the call means; `WAIT_CANCELLATION_COMPLETED` by default."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts that travel along; none by default."""
    priority: Priority = field(default_factory=Priority)
    """Which of the activity attempts that wait leaves first; the parent's own by default."""

    def __post_init__(self) -> None:
        check_span("run_timeout", self.run_timeout)
        if self.run_timeout is not None and self.run_timeout <= timedelta(0):
            raise ValueError("run_timeout must be longer than zero, or None for no limit")
