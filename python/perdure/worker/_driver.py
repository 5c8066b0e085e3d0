"""Gives runs their slices of the host's loop, watched as the worker's options ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.instance._strict import strictly
from perdure.worker._watchdog import Watchdog

if TYPE_CHECKING:
    from perdure.instance._instance import Instance

__all__ = ["Driver"]


class Driver:
    """Drives instances; one of a host."""

    def __init__(
        self, *, warned_after_s: float | None, interrupted_after_s: float | None, strict: bool
    ) -> None:
        watched = warned_after_s is not None or interrupted_after_s is not None
        self._watchdog = Watchdog(warned_after_s, interrupted_after_s) if watched else None
        self._strict = strict

    def drive(self, instance: Instance, budget_us: int) -> bool:
        """Steps a run until its turn is over; False when the budget was used up first."""
        if self._strict:
            with strictly():
                return self._drive(instance, budget_us)
        return self._drive(instance, budget_us)

    def close(self) -> None:
        """Ends the watching."""
        if self._watchdog is not None:
            self._watchdog.close()

    def _drive(self, instance: Instance, budget_us: int) -> bool:
        if self._watchdog is None:
            return instance.drive(budget_us)
        return self._watchdog.drive(instance, budget_us)
