"""A scheduled activity that workflow code can await, look at and cancel."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

__all__ = ["ActivityHandle"]

Result_co = TypeVar("Result_co", covariant=True)


class ActivityHandle(asyncio.Task[Result_co]):
    """A task that completes with the activity. `cancel()` cancels the activity."""

    activity: str
    """The activity's name."""
    command_n: int
    """The number of its scheduling command in the run's history."""

    def describe(self) -> dict[str, Any]:
        """The activity's name and number, for logs."""
        return {"activity": self.activity, "command_n": self.command_n}
