"""Which open runs still need a patch."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perdure._core import StoreReader

__all__ = ["PatchUsage", "PatchVerdict", "patch_usages"]

_ATTRIBUTES = "PerdurePatches", "PerdureDeprecatedPatches"
"""Open runs have them from the write that records a marker: patched ones, and deprecated ones."""


class PatchVerdict(enum.Enum):
    """What may be done to the code that asks for a patch."""

    NEEDED = "needed"
    """Open runs have no marker: they took the old branch, or have not come to it yet."""
    SAFE_TO_DEPRECATE = "safe to deprecate"
    """All open runs took the new branch: `deprecate_patch` may take the place of `patched`."""
    SAFE_TO_REMOVE = "safe to remove"
    """No open run would miss the call."""


@dataclass(frozen=True, slots=True)
class PatchUsage:
    """How the open runs of a workflow type stand to a patch."""

    id: str
    workflow_type: str
    """Empty for a patch that was asked for while no run is open."""
    patched: int
    """Open runs with the marker of `patched`: they took the new branch."""
    deprecated: int
    """Open runs with the marker of `deprecate_patch`."""
    without: int
    """Open runs with no marker: they took the old branch, or have not come to it yet."""

    @property
    def verdict(self) -> PatchVerdict:
        """What may be done to the code."""
        if self.patched == 0 and (self.deprecated or not self.without):
            return PatchVerdict.SAFE_TO_REMOVE
        return PatchVerdict.NEEDED if self.without else PatchVerdict.SAFE_TO_DEPRECATE


def patch_usages(
    path: Path, namespace: str, workflow_type: str | None, ids: Sequence[str]
) -> list[PatchUsage]:
    """Counts the open runs, and those that have a marker: no history is read.

    Raises:
        StoreError: The store cannot be read.
    """
    open_runs: dict[str, int] = {}
    marked: dict[tuple[str, str], list[int]] = {}
    if path.exists() and path.stat().st_size:
        reader = StoreReader(path)
        open_runs = dict(reader.open_by_type(namespace))
        for deprecated, attribute in enumerate(_ATTRIBUTES):
            for of_type, patch, count in reader.open_by_value(namespace, attribute):
                marked.setdefault((of_type, patch), [0, 0])[deprecated] = count
    types = [workflow_type] if workflow_type is not None else list(open_runs) or [""]
    named = {(each, patch) for each in types for patch in ids}
    known = {each for each in marked if workflow_type in (None, each[0])}
    return [
        PatchUsage(patch, each, patched, deprecated, open_runs.get(each, 0) - patched - deprecated)
        for each, patch in sorted(named or known)
        for patched, deprecated in [marked.get((each, patch), [0, 0])]
    ]
