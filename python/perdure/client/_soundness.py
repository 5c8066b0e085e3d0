"""Reading all of a store to see whether it is sound, piece by piece."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from perdure._core import StoreReader
from perdure.errors import PerdureError

__all__ = ["check_pages", "damaged_histories"]


def check_pages(path: Path) -> None:
    """Reads every page of a store, and what is open in it.

    Raises:
        StoreDamagedError: Something is not as it was written.
    """
    StoreReader(path).check_pages()


def damaged_histories(path: Path, run_ids: Sequence[str]) -> dict[str, str]:
    """Which of the runs' histories are not whole, and why."""
    reader = StoreReader(path)
    damaged: dict[str, str] = {}
    for run_id in run_ids:
        try:
            reader.check_history(uuid.UUID(run_id).bytes)
        except PerdureError as error:
            damaged[run_id] = str(error)
    return damaged
