"""The data converter that a project names: what its payloads are encoded with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perdure.cli._exit import CommandError
from perdure.cli._program import import_object
from perdure.converter import ChainCodec, DataConverter, PayloadCodec

__all__ = ["find_converter"]


def find_converter(name: str | None, directory: Path) -> DataConverter | None:
    """The converter or codec called `module:object` or `file.py:object`; None without a name.

    Raises:
        CommandError: There is none of that name.
    """
    if not name:
        return None
    found: Any = import_object(name, directory, "codec")
    if isinstance(found, PayloadCodec | ChainCodec):
        return DataConverter(payload_codec=found)
    if isinstance(found, DataConverter):
        return found
    target, _, attribute = name.rpartition(":")
    raise CommandError(f"{target} has no DataConverter and no PayloadCodec called {attribute!r}")
