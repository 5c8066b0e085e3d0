"""Which of the attempts that wait leaves first."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Priority"]


@dataclass(frozen=True, slots=True)
class Priority:
    """Which of the activity attempts that wait for a slot leaves first.

    They leave by `priority_key`; those of one priority key in turns by `fairness_key`; those of one
    fairness key in the order in which they came.

    What is None is inherited: an activity and a child have it from their run, unless they say
    otherwise. A `fairness_weight` belongs to its key and is inherited with that.

    Raises:
        ValueError: A field is out of its range.
    """

    priority_key: int | None = None
    """From 1, which leaves first, to 5; inherited by default, and 3 at last."""
    fairness_key: str | None = None
    """Whose attempt it is, such as a tenant's name; inherited by default, and none at last."""
    fairness_weight: float | None = None
    """How many turns its key has for one of another, 0.001 to 1000; 1 by default."""

    def fields(self) -> tuple[int | None, str | None, float | None]:
        """The priority as the core takes it: plain values."""
        weight = self.fairness_weight
        return (self.priority_key, self.fairness_key, None if weight is None else float(weight))

    def __post_init__(self) -> None:
        if self.priority_key is not None and not 1 <= self.priority_key <= 5:
            raise ValueError("priority_key must be from 1, which leaves first, to 5")
        weight = self.fairness_weight
        if weight is not None and not (math.isfinite(weight) and 0.001 <= weight <= 1000):
            raise ValueError("fairness_weight must be from 0.001 to 1000")
