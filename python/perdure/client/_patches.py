"""Which open runs still need a patch."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perdure.client._stored import stored_history, stored_runs

__all__ = ["PatchUsage", "PatchVerdict", "patch_usages"]


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
    """Reads the histories of all open runs, one at a time; runs that have ended are left aside.

    Raises:
        StoreError: The store cannot be read, or a history is damaged: nothing is safe then.
    """
    open_runs: dict[str, int] = {}
    marked: dict[tuple[str, str], list[int]] = {}
    if path.exists() and path.stat().st_size:
        for run in stored_runs(path, namespace=namespace, workflow_type=workflow_type):
            if run.is_closed:
                continue
            open_runs[run.workflow_type] = open_runs.get(run.workflow_type, 0) + 1
            for patch, deprecated in _markers(stored_history(path, run.run_id)):
                marked.setdefault((run.workflow_type, patch), [0, 0])[deprecated] += 1
    types = [workflow_type] if workflow_type is not None else list(open_runs)
    named = {(each, patch) for each in types for patch in ids}
    found = sorted({*named, *(marked if not ids else ())})
    return [
        PatchUsage(patch, each, patched, deprecated, open_runs.get(each, 0) - patched - deprecated)
        for each, patch in found
        for patched, deprecated in [marked.get((each, patch), [0, 0])]
    ]


def _markers(history: str) -> Iterator[tuple[str, bool]]:
    """The patches of one run, and whether they were deprecated; each once."""
    for line in history.splitlines():
        if '"record_patch"' not in line:
            continue
        command: dict[str, Any] = json.loads(line).get("command") or {}
        if command.get("kind") == "record_patch":
            yield command["id"], command.get("deprecated", False)
