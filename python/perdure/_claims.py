"""The payload converters that this process has, and the classes that they take."""

from __future__ import annotations

import sys
import typing
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from perdure.converter import DataConverter, PayloadConverter

__all__ = [
    "add_converter",
    "claimed_reader",
    "claimed_writer",
    "converters",
    "is_claimed",
    "travels_unclaimed",
]

_converters: dict[type[PayloadConverter], PayloadConverter] = {}
"""By their own class: a later one of the same class takes the place of an earlier one."""

_unclaimed: set[type[Any]] = set()
"""Classes whose way to travel is settled without a converter: plans and shapes are kept."""


def add_converter(converter: DataConverter | None) -> None:
    """From now on this process converts as the payload converter says, if there is one.

    Raises:
        ValueError: A class that it handles has already travelled without it.
    """
    added = None if converter is None else converter.payload_converter
    if added is None:
        return
    late = sorted(cls.__qualname__ for cls in _unclaimed if added.handles(cls))
    if late:
        raise ValueError(
            f"{type(added).__qualname__} handles {', '.join(late)}, which this process has "
            "converted without it already: connect with it before other clients and workers"
        )
    _converters[type(added)] = added


def converters() -> tuple[PayloadConverter, ...]:
    """All that were added."""
    return tuple(_converters.values())


def is_claimed(hint: Any) -> bool:
    """Whether the hint is a class, with type arguments or without, that a converter handles."""
    cls: Any = typing.get_origin(hint) or hint
    return isinstance(cls, type) and _kind_for(cast("type[Any]", cls)) is not None


def claimed_writer(cls: type[Any]) -> Callable[[Any], Any] | None:
    """What gives the value that stands for an object of the class; None without a converter.

    Raises:
        TypeError: Two converters handle the class.
    """
    kind = _kind_for(cls)
    return None if kind is None else partial(_write, kind)


def claimed_reader(cls: type[Any], hint: Any) -> Callable[[Any], Any] | None:
    """What makes an object of the class from plain values; None without a converter.

    Raises:
        TypeError: Two converters handle the class.
    """
    kind = _kind_for(cls)
    return None if kind is None else partial(_read, kind, hint)


def travels_unclaimed(cls: type[Any]) -> None:
    """Notes that the class travels in a way that no converter changes any more."""
    if _may_be_claimed(cls):
        _unclaimed.add(cls)


def _kind_for(cls: type[Any]) -> type[PayloadConverter] | None:
    if not _converters or not _may_be_claimed(cls):
        return None
    kinds = [kind for kind, each in _converters.items() if each.handles(cls)]
    if len(kinds) > 1:
        names = " and ".join(kind.__qualname__ for kind in kinds)
        raise TypeError(f"{names} both handle {cls.__qualname__}: only one may")
    return kinds[0] if kinds else None


def _may_be_claimed(cls: type[Any]) -> bool:
    # Plain values are written without a question, and a TypedDict's value is a plain dict.
    package = cls.__module__.partition(".")[0]
    if package == "perdure" or package in sys.stdlib_module_names:
        return False
    return not hasattr(cls, "__required_keys__")


def _write(kind: type[PayloadConverter], value: Any) -> Any:
    try:
        plain = _converters[kind].to_payload_value(value)
    except Exception as error:
        raise ValueError(f"{kind.__qualname__}: {type(error).__name__}: {error}") from error
    if plain is value:
        raise TypeError(
            f"{kind.__qualname__} handles {type(value).__qualname__} and gives the object itself "
            "back: give what stands for it"
        )
    return plain


def _read(kind: type[PayloadConverter], hint: Any, value: Any) -> Any:
    try:
        return _converters[kind].from_payload_value(value, hint)
    except Exception as error:
        raise ValueError(f"{kind.__qualname__}: {type(error).__name__}: {error}") from error
