"""The positional arguments of a call: one encoded list, decoded in the types that are declared."""

from __future__ import annotations

from collections.abc import Sequence
from types import GenericAlias
from typing import Any

from perdure._core import decode
from perdure.convert._shapes import shape_of

__all__ = ["decode_arguments"]


def decode_arguments(types: Sequence[Any], data: bytes) -> tuple[Any, ...]:
    """The arguments, each as its declared type; as plain values when there are more than types.

    Raises:
        DecodeError: They do not fit the types.
    """
    count = _length(data)
    if count is None or not types or count > len(types):
        values: list[Any] = decode(data, shape_of(list[Any]))
        return tuple(values)
    hint: Any = GenericAlias(tuple, tuple(types[:count]))
    shaped: tuple[Any, ...] = decode(data, shape_of(hint))
    return shaped


def _length(data: bytes) -> int | None:
    """How many elements an encoded list has, if it is a list: its head says so."""
    head = data[:5]
    if not head:
        return None
    if 0x90 <= head[0] <= 0x9F:
        return head[0] & 0x0F
    if head[0] == 0xDC:
        return int.from_bytes(head[1:3], "big")
    if head[0] == 0xDD:
        return int.from_bytes(head[1:5], "big")
    return None
