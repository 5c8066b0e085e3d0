"""When a failed activity is tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from perdure.spans import check_span, microseconds

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff.

    The wait before attempt *k* + 1 is min(`initial_interval` x `backoff_coefficient`^(k-1),
    `maximum_interval`), then up to plus or minus `jitter` of it.

    Raises:
        ValueError: A field is out of its range.
        TypeError: An interval is no `timedelta`.
    """

    initial_interval: timedelta = timedelta(seconds=1)
    """The wait before the second attempt; 1 s by default."""
    backoff_coefficient: float = 2.0
    """The factor from wait to wait, at least 1; 2 by default."""
    maximum_interval: timedelta = timedelta(seconds=100)
    """The longest wait; 100 s by default."""
    maximum_attempts: int = 0
    """The most attempts; 1 is no retry; 0, the default, is no limit."""
    non_retryable_error_types: Sequence[str] = ()
    """Error types, by name, that are never tried again; none by default."""
    jitter: float = 0.1
    """The share of a wait that chance may take or add, 0 to 1; 0.1 by default."""

    def fields(self) -> tuple[int, float, int, int, list[str], float]:
        """The policy as the core takes it: plain values, spans in microseconds."""
        return (
            microseconds(self.initial_interval),
            self.backoff_coefficient,
            microseconds(self.maximum_interval),
            self.maximum_attempts,
            list(self.non_retryable_error_types),
            self.jitter,
        )

    def __post_init__(self) -> None:
        check_span("initial_interval", self.initial_interval)
        check_span("maximum_interval", self.maximum_interval)
        if self.initial_interval <= timedelta(0):
            raise ValueError("initial_interval must be longer than zero")
        if not self.backoff_coefficient >= 1:
            raise ValueError("backoff_coefficient must be at least 1 (1 is a constant interval)")
        if self.maximum_interval < self.initial_interval:
            raise ValueError("maximum_interval must not be shorter than initial_interval")
        if self.maximum_attempts < 0:
            raise ValueError("maximum_attempts must not be negative (0 is no limit)")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter must be from 0 to 1")
