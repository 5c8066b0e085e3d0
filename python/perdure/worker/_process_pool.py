"""Activities in a process of their own: only names and encoded values cross."""

from __future__ import annotations

import functools
import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from perdure._core import decode, encode
from perdure.activity._definition import ActivityDefinition
from perdure.convert import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perdure._core import Shape
    from perdure.activity._reference import ActivityReference

__all__ = ["new_pool", "run_by_name"]


def new_pool(processes: int) -> ProcessPoolExecutor:
    """A pool whose processes start fresh: a fork of a process with threads may hang."""
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def run_by_name(module: str, qualified_name: str, arguments: bytes) -> bytes:
    """Runs a sync activity, found by its name, in this process; gives its encoded result."""
    found: Any = importlib.import_module(module)
    for part in qualified_name.split("."):
        found = getattr(found, part)
    definition: ActivityDefinition[..., Any] = found
    values = decode_arguments(definition, arguments)
    return encode(definition.fn(*values))


def decode_arguments(definition: ActivityDefinition[..., Any], data: bytes) -> tuple[Any, ...]:
    """The arguments of a call, in the types that the activity declares."""
    values: Sequence[Any] = decode(data, _argument_shape(definition.reference, _length(data)))
    return tuple(values)


@functools.lru_cache(maxsize=1_000)
def _argument_shape(reference: ActivityReference, count: int | None) -> Shape:
    types = reference.parameter_types
    if count is None or not types or count > len(types):
        return shape_of(list[Any])
    hint: Any = GenericAlias(tuple, tuple(types[:count]))
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
