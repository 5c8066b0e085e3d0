"""Finding runs: pages of a list, and counts, straight from the store's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from perdure._core import SearchPlace, StoreReader, check_query
from perdure.client._codecs import codec_of
from perdure.errors import StoreError

__all__ = ["NameFilter", "Pages"]


class NameFilter(NamedTuple):
    """What is known of the runs without a query; all by default."""

    workflow_id: str | None = None
    workflow_type: str | None = None
    status: str | None = None


class Pages:
    """One list of runs, read page by page."""

    def __init__(self, path: Path, namespace: str, query: str | None, names: NameFilter) -> None:
        self._path = path
        self._namespace = namespace
        self._query = query
        self._names = names
        self._before: bytes | None = None
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
        if self._query is None:
            return self._read_by_names(reader, wanted)
        page, self._after = reader.search(
            self._query,
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

    def _read_by_names(self, reader: StoreReader, wanted: int) -> list[dict[str, Any]]:
        page = reader.list(
            namespace=self._namespace,
            workflow_id=self._names.workflow_id,
            workflow_type=self._names.workflow_type,
            status=self._names.status,
            before=self._before,
            limit=wanted,
        )
        if page:
            self._before = page[-1]["run"]
        return page

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
