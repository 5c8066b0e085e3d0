"""Changed code beside runs that began under the old: which branch a run takes."""

from __future__ import annotations

from perdure import _runtime

__all__ = ["deprecate_patch", "patched"]


def patched(id: str) -> bool:
    """Whether this run takes the new branch of a change.

    A run that had passed this place before the change was deployed takes the old branch, every
    other run the new one. The answer is the same for the rest of the run, wherever it is asked.

    Args:
        id: The name of the change; never used again for another one.

    Raises:
        ValueError: The name is empty.
        RuntimeError: No workflow code is running, or a query asks what its run has not asked.
    """
    _check(id)
    return _runtime.require("workflow.patched").patched(id, deprecated=False)


def deprecate_patch(id: str) -> None:
    """Says that only the new branch of a change is left, so that the call may be removed later.

    It takes the place of `patched` once no open run needs the old branch, and goes once no open
    run has the marker that `patched` recorded.

    Args:
        id: The name that `patched` was given.

    Raises:
        ValueError: The name is empty.
        RuntimeError: No workflow code is running, or a query asks what its run has not asked.
    """
    _check(id)
    _runtime.require("workflow.deprecate_patch").patched(id, deprecated=True)


def _check(id: str) -> None:
    if not id:
        raise ValueError("a patch needs a name")
