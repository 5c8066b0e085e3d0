"""The clock of clients that tests make."""

from __future__ import annotations

from perdure._core import SkippingClock

__all__ = ["new_clock"]


def new_clock() -> SkippingClock:
    """A clock that skips; it begins with the system's time."""
    return SkippingClock()
