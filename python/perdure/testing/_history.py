"""Recorded histories: from a text, a file, a folder of files, or a whole store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from perdure.client._address import store_path
from perdure.client._codecs import decoded_history
from perdure.client._search import SYSTEM_PREFIX
from perdure.client._stored import stored_history, stored_runs
from perdure.converter import DataConverter
from perdure.errors import NotFoundError, StoreDamagedError

__all__ = ["Source", "WorkflowHistory", "find_histories", "is_closed"]

_SUFFIXES = (".jsonl", ".json")
_CLOSING = {
    "complete_run",
    "fail_run",
    "cancel_run",
    "run_terminated",
    "run_timed_out",
    "continue_as_new",
}
_STORE_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a history is read from, when it is replayed; only texts, so that it can travel."""

    text: str | None = None
    path: str = ""
    """The exported file, or with `run_id` the store."""
    run_id: str = ""
    converter: DataConverter | None = None
    """What decodes its payloads; such a source stays in its process."""

    def read(self) -> str:
        """The exported history.

        Raises:
            StoreDamagedError: It cannot be read.
            StoreError: The store cannot be read.
        """
        return decoded_history(self._stored(), self.converter)

    def _stored(self) -> str:
        if self.text is not None:
            return self.text
        if self.run_id:
            return stored_history(Path(self.path), self.run_id)
        return _read_file(Path(self.path))


@dataclass(frozen=True, slots=True)
class WorkflowHistory:
    """The recorded history of one run, to be replayed."""

    workflow_id: str
    run_id: str
    workflow_type: str
    source: Source

    @staticmethod
    def from_json(text: str) -> WorkflowHistory:
        """A history as `perdure history export` and `WorkflowHandle.fetch_history` give it.

        Only the head is looked at; the whole is checked when it is replayed.

        Raises:
            StoreDamagedError: It does not begin as a history does.
        """
        return _named(text, Source(text=text))

    @staticmethod
    def from_file(path: str | Path) -> WorkflowHistory:
        """The history of an exported file.

        Raises:
            StoreDamagedError: It cannot be read, or does not begin as a history does.
        """
        return WorkflowHistory.from_json(_read_file(Path(path)))

    def to_json(self) -> str:
        """The exported history, as JSON lines.

        Raises:
            StoreDamagedError: It cannot be read.
            StoreError: The store cannot be read.
        """
        return self.source.read()

    def decoded_by(self, converter: DataConverter | None) -> WorkflowHistory:
        """The same history, with payloads as they were before the converter's codec.

        Args:
            converter: The data converter of the program that recorded it; None: as it is stored.
        """
        return replace(self, source=replace(self.source, converter=converter))

    @property
    def place(self) -> str:
        """The file it is read from; the run's id for what has no file of its own."""
        return self.run_id or self.source.path


def find_histories(
    source: str | Path,
    *,
    namespace: str | None = None,
    workflow_type: str | None = None,
    open_only: bool = False,
) -> Iterator[WorkflowHistory]:
    """The histories of a store (`file:app.db`), a folder of exported files, or one such file.

    A file of a folder that cannot be read is given too: its replay says why.

    Args:
        source: The store's address, or a path.
        namespace: Of a store, only this namespace; all by default.
        workflow_type: Only this type; all by default.
        open_only: Whether runs that have ended are left out; False by default.

    Raises:
        NotFoundError: There is nothing of that name.
        StoreError: The store cannot be read.
    """
    if isinstance(source, str) and source.startswith("file:"):
        yield from _of_store(store_path(source), namespace, workflow_type, open_only)
        return
    path = Path(source)
    if path.is_dir():
        files = (each for each in path.rglob("*") if each.suffix in _SUFFIXES and each.is_file())
        for file in sorted(files):
            yield from _of_file(file, workflow_type, open_only)
    elif not path.is_file():
        raise NotFoundError(f"there is no file or folder {path}")
    elif _is_store(path):
        yield from _of_store(path.absolute(), namespace, workflow_type, open_only)
    else:
        yield from _of_file(path, workflow_type, open_only)


def _of_store(
    path: Path, namespace: str | None, workflow_type: str | None, open_only: bool
) -> Iterator[WorkflowHistory]:
    if not path.exists():
        raise NotFoundError(f"there is no store {path}")
    for run in stored_runs(path, namespace=namespace, workflow_type=workflow_type):
        if workflow_type is None and run.workflow_type.startswith(SYSTEM_PREFIX):
            # Schedules and deployments: Perdure's own code, which no project has.
            continue
        if not (open_only and run.is_closed):
            source = Source(path=str(path), run_id=run.run_id)
            yield WorkflowHistory(run.workflow_id, run.run_id, run.workflow_type, source)


def _of_file(path: Path, workflow_type: str | None, open_only: bool) -> Iterator[WorkflowHistory]:
    source = Source(path=str(path.absolute()))
    try:
        text = _read_file(path)
        history = _named(text, source)
        left_out = open_only and is_closed(text)
    except StoreDamagedError:
        yield WorkflowHistory("", "", "", source)
        return
    if workflow_type in {None, history.workflow_type} and not left_out:
        yield history


def is_closed(text: str) -> bool:
    """Whether an exported history ends with the end of its run; False for no whole history."""
    try:
        last: Any = json.loads(text.rstrip().rpartition("\n")[2])
        body: Any = last.get("event") or last.get("command") or {}
        return body.get("kind") in _CLOSING
    except (ValueError, AttributeError):
        return False


def _is_store(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_STORE_MAGIC)) == _STORE_MAGIC


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreDamagedError(f"{path} cannot be read as a history: {error}") from error


def _named(text: str, source: Source) -> WorkflowHistory:
    """The history with its names, which stand in the head and in the first record."""
    head, _, rest = text.lstrip().partition("\n")
    _batch, _, rest = rest.partition("\n")
    first = rest.partition("\n")[0]
    try:
        run_id = _field(json.loads(head), "run")
        event: Any = json.loads(first)["event"]
        return WorkflowHistory(
            _field(event, "workflow_id"), run_id, _field(event, "workflow_type"), source
        )
    except (ValueError, LookupError, TypeError) as error:
        raise StoreDamagedError(
            "this is no exported history: `perdure history export ID --file FILE` writes one"
        ) from error


def _field(record: Any, name: str) -> str:
    value = cast("dict[str, Any]", record)[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is no text")
    return value
