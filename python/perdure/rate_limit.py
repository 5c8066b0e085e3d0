"""How often a thing that many calls share may be used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from perdure.spans import microseconds

__all__ = ["RateLimit"]

_UNITS_MAX = 2**53


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` units of a key in any span of `period`.

    It holds over all runs and workers of a store, and over restarts: what an attempt uses is
    written before it leaves. An attempt that must wait uses none of its retries meanwhile.

    Raises:
        ValueError: A field is out of its range.
    """

    key: str
    """What is shared, such as `openai:gpt-5`."""
    limit: int
    """How many units of it there are in a period."""
    period: timedelta
    """How long a period is."""
    units: int = 1
    """How many units an attempt uses, such as the tokens of a prompt; 1 by default."""

    def fields(self) -> tuple[str, int, int, int]:
        """The limit as the core takes it: plain values, the period in microseconds."""
        return (self.key, self.limit, microseconds(self.period), self.units)

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("key must not be empty")
        if not 1 <= self.limit <= _UNITS_MAX:
            raise ValueError("limit must be from 1 to 2**53")
        if self.period < timedelta(milliseconds=1):
            raise ValueError("period must be at least a millisecond")
        if not 1 <= self.units <= self.limit:
            raise ValueError("units must be from 1 to limit: more could never begin")
