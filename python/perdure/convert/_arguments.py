"""The positional arguments of a call: one encoded list, decoded in the types that are declared."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from types import GenericAlias
from typing import Any

from perdure._core import Shape, decode
from perdure.convert._shapes import shape_of

__all__ = ["decode_arguments"]


def decode_arguments(types: Sequence[Any], data: bytes) -> tuple[Any, ...]:
    """The arguments, each as its declared type; as plain values when there are more than types.

    Raises:
        DecodeError: They do not fit the types.
    """
    values: Sequence[Any] = decode(data, _shape_of(tuple(types), _length(data)))
    return tuple(values)


def _shape_of(types: tuple[Any, ...], count: int | None) -> Shape:
    try:
        return _shape_of_hashable(types, count)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _compile(types, count)


@functools.lru_cache(maxsize=1_000)
def _shape_of_hashable(types: tuple[Any, ...], count: int | None) -> Shape:
    return _compile(types, count)


def _compile(types: tuple[Any, ...], count: int | None) -> Shape:
    if count is None or not types or count > len(types):
        return shape_of(list[Any])
    hint: Any = GenericAlias(tuple, types[:count])
    return shape_of(hint)


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
