"""Named ways around determinism, for those who know why."""

from __future__ import annotations

from contextlib import AbstractContextManager

from perdure import _runtime

__all__ = ["is_replaying", "unguarded"]


def is_replaying() -> bool:
    """Whether recorded history is being delivered. Use it for observation, never for logic."""
    return _runtime.require("workflow.unsafe.is_replaying").is_replaying()


def unguarded() -> AbstractContextManager[None]:
    """A block in which the guards against I/O and clocks are off."""
    return _runtime.require("workflow.unsafe.unguarded").unguarded()
