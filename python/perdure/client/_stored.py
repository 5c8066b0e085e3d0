"""Runs and histories straight from a store's file, for those who read many."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from perdure._core import StoreReader

__all__ = ["StoredRun", "StoredSize", "stored_history", "stored_runs", "stored_size"]

_PAGE = 100


class StoredRun(NamedTuple):
    """Which run it is."""

    workflow_id: str
    run_id: str
    workflow_type: str
    is_closed: bool


def stored_runs(
    path: Path, *, namespace: str | None = None, workflow_type: str | None = None
) -> Iterator[StoredRun]:
    """The runs of a store, newest first; of every namespace and type by default.

    Raises:
        StoreError: It cannot be read.
    """
    reader = StoreReader(path)
    before: bytes | None = None
    while True:
        page = reader.list(
            namespace=namespace, workflow_type=workflow_type, before=before, limit=_PAGE
        )
        for fields in page:
            names = fields["workflow_id"], fields["run_id"], fields["workflow_type"]
            yield StoredRun(*names, is_closed=fields["closed_at_us"] is not None)
        if len(page) < _PAGE:
            return
        before = page[-1]["run"]


def stored_history(path: Path, run_id: str) -> str:
    """A run's history as JSON lines.

    Raises:
        StoreError: It cannot be read.
    """
    return _reader(path).history(uuid.UUID(run_id).bytes)


class StoredSize(NamedTuple):
    """What the history of a run takes."""

    history_bytes: int
    """Of all its records, as they are read."""
    stored_bytes: int
    """What is stored for it: what is in it many times, such as a growing argument, once."""
    large_values: int
    """Values in it that lie in chunks."""
    chunks: int
    """The chunks that they lie in, each counted once."""


def stored_size(path: Path, run_id: str) -> StoredSize | None:
    """What the history of a run takes; None when the store does not have it.

    Raises:
        StoreError: It cannot be read.
    """
    size = StoreReader(path).stored_size(uuid.UUID(run_id).bytes)
    return None if size is None else StoredSize(*size)


_readers: dict[Path, StoreReader] = {}


def _reader(path: Path) -> StoreReader:
    """The last store's reader, kept: opening one costs more than reading a history."""
    reader = _readers.get(path)
    if reader is None:
        reader = StoreReader(path)
        _readers.clear()
        _readers[path] = reader
    return reader
