"""Finding runs: pages of a list, and counts, straight from the store's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from perdure._core import SearchPlace, StoreReader, check_query
from perdure.client._codecs import codec_of
from perdure.errors import StoreError

__all__ = ["SYSTEM_PREFIX", "NameFilter", "Pages"]

SYSTEM_PREFIX = "perdure."
"""How the types begin of the workflows that Perdure itself brings."""


class NameFilter(NamedTuple):
    """What is known of the runs without a query; all by default."""

    workflow_id: str | None = None
    workflow_type: str | None = None
    status: str | None = None
    left_out: str | None = None
    """What the workflow types begin with of runs that are left out."""

    def without_system(self, query: str | None) -> NameFilter:
        """The same, without the runs behind schedules and deployments unless they are named."""
        named = self.workflow_id or self.workflow_type or SYSTEM_PREFIX in (query or "")
        return self if named else self._replace(left_out=SYSTEM_PREFIX)


class Pages:
    """One list of runs, read page by page."""

    def __init__(self, path: Path, namespace: str, query: str | None, names: NameFilter) -> None:
        self._path = path
        self._namespace = namespace
        self._query = query
        self._names = names.without_system(query)
        self._after: SearchPlace | None = None

    def read(self, wanted: int) -> list[dict[str, Any]]:
        """The next page; a shorter one is the last.

        Raises:
            InvalidQueryError: The query cannot be read.
            StoreError: The store cannot be read.
        """
        reader = self._reader()
        if reader is None:
            return []
        page, self._after = reader.search(
            self._query or "",
            self._names,
            namespace=self._namespace,
            after=self._after,
            limit=wanted,
        )
        return page

    def count(self) -> int:
        """How many there are.

        Raises:
            InvalidQueryError: The query cannot be read.
            StoreError: The store cannot be read.
        """
        reader = self._reader()
        if reader is None:
            return 0
        return reader.count(self._query or "", self._names, namespace=self._namespace)

    def _reader(self) -> StoreReader | None:
        # Said also while there is no store: a wrong query is wrong everywhere.
        check_query(self._query or "")
        if not self._path.exists():
            return None
        try:
            return StoreReader(self._path, codec_of(self._path))
        except StoreError:
            if self._path.stat().st_size == 0:
                return None
            raise
