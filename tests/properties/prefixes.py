"""Replays histories from every prefix: each must fit, and ask for what the history then has."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perdure._core import RecordedHistory
from perdure.instance._determinism import install_determinism
from perdure.instance._instance import Instance
from perdure.workflow._definition import definition_of
from tests.properties.programs import RandomProgram

__all__ = ["check"]


def check(text: str) -> int:
    """How many prefixes were replayed.

    Raises:
        AssertionError: The replay of one asks for less or more than the history has.
        Exception: Whatever a replay says.
    """
    count = 0
    for length, expected, prefix in _prefixes(text):
        count += 1
        try:
            position = _replay(prefix)
        except Exception as error:
            error.add_note(f"in the replay of the first {length} records")
            raise
        assert position == expected, (
            f"after {length} records the code asks for {position - length} more, "
            f"the history has {expected - length}"
        )
    return count


def _prefixes(text: str) -> Iterator[tuple[int, int, str]]:
    """Each prefix that ends before an event or with the whole, its length, and where it leads."""
    lines = text.splitlines()
    length = 0
    for index, line in enumerate(lines):
        record: dict[str, Any] = json.loads(line)
        if "event" in record and length:
            yield length, length, "\n".join(_without_empty_batch(lines[:index]))
        length = record.get("n", length)
    yield length, length, text


def _without_empty_batch(lines: list[str]) -> list[str]:
    return lines[:-1] if lines[-1].startswith('{"batch"') else lines


def _replay(text: str) -> int:
    """The number of the last record that the code has come to."""
    history = RecordedHistory.from_json(text)
    definition = definition_of(RandomProgram)
    instance = Instance(lambda _, __: definition, history.run_id, 0)
    try:
        history.lend(instance)
        instance.drive()
        if instance.bug is not None:
            raise instance.bug
        return history.take_back(instance)
    finally:
        instance.evict()


def _main(folder: str) -> None:
    install_determinism()
    for file in sorted(Path(folder).glob("*.jsonl")):
        try:
            check(file.read_text(encoding="utf-8"))
        except Exception as error:
            error.add_note(f"program {file.stem}")
            raise


if __name__ == "__main__":
    _main(*sys.argv[1:])
