"""Classes whose way to travel the user's program has set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

__all__ = ["Converter", "converter_of", "register_type"]

Value = TypeVar("Value")


class Converter(NamedTuple):
    """How objects of a class travel, and come back."""

    encode: Callable[[Any], Any]
    """From an object to what stands for it."""
    decode: Callable[[Any], Any]
    """Back."""


_registered: dict[type[Any], Converter] = {}


def register_type(
    cls: type[Value], *, encode: Callable[[Value], Any], decode: Callable[[Any], Value]
) -> None:
    """Says how objects of a class, and of its subclasses, travel.

    Call it where the class is defined, before any of its objects is sent. Both functions must be
    pure: workflow code is compared by what they give.

    Args:
        cls: The class.
        encode: Gives what stands for an object: plain values, dataclasses, whatever can travel.
        decode: Makes an object from that, read as plain values. A `ValueError` or `TypeError` says
            that the value does not fit.

    Raises:
        ValueError: The class is registered already.
    """
    if cls in _registered:
        raise ValueError(f"{cls.__qualname__} is registered already")
    _registered[cls] = Converter(encode, decode)


def converter_of(cls: type[Any]) -> Converter | None:
    """What is registered for the class, or for the nearest of its bases."""
    for base in cls.__mro__:
        converter = _registered.get(base)
        if converter is not None:
            return converter
    return None
