"""Classes that are no plain types and no dataclasses: how their objects travel, and come back.

pydantic and msgspec are known when the user's program has imported them, and never imported here.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import ipaddress
import pathlib
import sys
import typing
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Union, cast
from uuid import UUID

from perdure._claims import claimed_reader, claimed_writer, is_claimed, travels_unclaimed
from perdure._core import decode, encode, set_class_hook
from perdure._registry import converter_of

__all__ = ["from_plain_of", "is_model", "is_struct", "to_plain_of", "union_reader"]

_MSGSPEC_KNOWS = (bytes, datetime, timedelta, Decimal, UUID)
"""What msgspec leaves to us, since the storage form has it."""

_TEXTS: tuple[type[Any], ...] = (
    pathlib.PurePath,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
"""Classes whose text makes them again."""

_PLAIN: tuple[type[Any], ...] = (str, int, float, bytes, list, tuple, dict, set, frozenset)
_IN_THE_CORE: tuple[type[Any], ...] = (*_PLAIN, enum.Enum, datetime, timedelta, Decimal, UUID)
"""Classes that the core writes by itself, with their subclasses, as it does dataclasses."""


def to_plain_of(cls: type[Any]) -> Callable[[Any], Any] | None:
    """What gives a plain value for an object of the class; None when the core knows it."""
    converter = converter_of(cls)
    if converter is not None:
        return converter.encode
    claimed = claimed_writer(cls)
    if claimed is not None:
        return claimed
    known = _known_writer(cls)
    if known is not None or issubclass(cls, _IN_THE_CORE) or dataclasses.is_dataclass(cls):
        travels_unclaimed(cls)
    return known


def _known_writer(cls: type[Any]) -> Callable[[Any], Any] | None:
    if is_model(cls):
        return _dump_model
    if is_struct(cls):
        return _dump_struct
    if issubclass(cls, time) or (issubclass(cls, date) and not issubclass(cls, datetime)):
        return cast("Callable[[Any], Any]", cls.isoformat)
    if issubclass(cls, _TEXTS) or cls.__module__ in {"pydantic.networks", "pydantic_core"}:
        return str
    return None


def from_plain_of(cls: type[Any], hint: Any) -> Callable[[Any], Any] | None:
    """What makes an object of the class from plain values; None for other classes.

    Raises:
        TypeError: Objects of the class would not come back as they were.
    """
    converter = converter_of(cls)
    if converter is not None:
        return converter.decode
    claimed = claimed_reader(cls, hint)
    if claimed is not None:
        return claimed
    known = _known_reader(cls, hint)
    if known is not None or issubclass(cls, _IN_THE_CORE) or dataclasses.is_dataclass(cls):
        travels_unclaimed(cls)
    return known


def _known_reader(cls: type[Any], hint: Any) -> Callable[[Any], Any] | None:
    if is_model(cls):
        _check_aliases(cls)
        return cast("Callable[[Any], Any]", cls.model_validate)
    if is_struct(cls):
        return _struct_reader(hint)
    if issubclass(cls, time) or (issubclass(cls, date) and not issubclass(cls, datetime)):
        return cast("Callable[[Any], Any]", cls.fromisoformat)
    if issubclass(cls, _TEXTS):
        return cast("Callable[[Any], Any]", cls)
    return None


def union_reader(alternatives: tuple[Any, ...]) -> Callable[[Any], Any] | None:
    """What reads a union by pydantic's or msgspec's own rules, when all of it is theirs."""
    if any(is_claimed(each) for each in alternatives):
        return None
    hint: Any = cast("Any", Union)[alternatives]
    if all(is_model(each) for each in alternatives):
        for each in alternatives:
            _check_aliases(each)
        pydantic: Any = sys.modules["pydantic"]
        return cast("Callable[[Any], Any]", pydantic.TypeAdapter(hint).validate_python)
    if all(is_struct(typing.get_origin(each) or each) for each in alternatives):
        return _struct_reader(hint)
    return None


def is_model(cls: Any) -> bool:
    """Whether it is a pydantic model."""
    return _is_subclass(cls, "pydantic", "BaseModel")


def is_struct(cls: Any) -> bool:
    """Whether it is a msgspec Struct."""
    return _is_subclass(cls, "msgspec", "Struct")


def _is_subclass(cls: Any, module: str, name: str) -> bool:
    base = getattr(sys.modules.get(module), name, None)
    return base is not None and isinstance(cls, type) and issubclass(cls, base)


def _dump_model(value: Any) -> Any:
    # As Python values: instants, decimals and bytes have forms of their own in the storage form.
    return value.model_dump(by_alias=True, round_trip=True)


def _check_aliases(cls: Any) -> None:
    for name, field in cls.model_fields.items():
        written = field.serialization_alias or name
        if field.validation_alias not in {None, written}:
            raise TypeError(
                f"{cls.__qualname__}.{name} is written as {written!r} and read as "
                f"{field.validation_alias!r}: give it one alias for both"
            )


def _dump_struct(value: Any) -> Any:
    msgspec: Any = sys.modules["msgspec"]
    # In a fixed order: sets walk differently in every process.
    return msgspec.to_builtins(
        value, builtin_types=_MSGSPEC_KNOWS, order="deterministic", enc_hook=_plain_for_msgspec
    )


def _struct_reader(hint: Any) -> Callable[[Any], Any]:
    msgspec: Any = sys.modules["msgspec"]
    # Refuses at once what could not be read later, as several Structs without tags.
    msgspec.msgpack.Decoder(hint, dec_hook=_read_for_msgspec)
    return functools.partial(
        msgspec.convert,
        type=hint,
        builtin_types=_MSGSPEC_KNOWS,
        dec_hook=_read_for_msgspec,
    )


def _plain_for_msgspec(value: Any) -> Any:
    convert = to_plain_of(cast("type[Any]", type(value)))
    if convert is None:
        raise TypeError(f"a {type(value).__qualname__} has no representation in other languages")
    return convert(value)


def _read_for_msgspec(hint: Any, value: Any) -> Any:
    from perdure.convert._shapes import shape_of

    return decode(encode(value), shape_of(hint))


set_class_hook(to_plain_of)
