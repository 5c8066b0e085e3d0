"""What a start does about other runs of its workflow id."""

from __future__ import annotations

from enum import Enum

__all__ = ["WorkflowIDConflictPolicy", "WorkflowIDReusePolicy"]


class WorkflowIDReusePolicy(Enum):
    """Whether an id may be used again, of which no run is open."""

    ALLOW_DUPLICATE = "allow_duplicate"
    """It may; the default."""
    ALLOW_DUPLICATE_FAILED_ONLY = "allow_duplicate_failed_only"
    """Unless its last run completed: it may when that failed, timed out, was cancelled or
    terminated."""
    REJECT_DUPLICATE = "reject_duplicate"
    """Not while a run of it is kept: closed runs are, for the store's retention."""


class WorkflowIDConflictPolicy(Enum):
    """What becomes of an open run that has the id."""

    FAIL = "fail"
    """It goes on, and the start raises `WorkflowAlreadyStartedError`; the default."""
    USE_EXISTING = "use_existing"
    """It goes on, and the start gives its handle."""
    TERMINATE_EXISTING = "terminate_existing"
    """It is ended without running its code, and the new run takes its place."""
