"""Search attributes and memos: names and values as users write them, and as they are stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from perdure._core import decode, encode
from perdure.convert._shapes import shape_of
from perdure.errors import EncodeError
from perdure.search import SearchAttributes

__all__ = [
    "attribute_fields",
    "attribute_values",
    "memo_fields",
    "memo_values",
]

_RESERVED = "Perdure"
"""How the names begin that the engine itself gives to runs."""
_NAME_MAXIMUM = 128
_TEXT_MAXIMUM = 2_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT_LIMIT = 2**63


def attribute_fields(attributes: SearchAttributes) -> dict[str, tuple[str, Any] | None]:
    """Type and value by name; None stays None.

    Raises:
        EncodeError: A name or a value is none that can be searched for.
    """
    fields: dict[str, tuple[str, Any] | None] = {}
    for key, value in attributes.items():
        name = key if isinstance(key, str) else key.name
        if not 0 < len(name) <= _NAME_MAXIMUM:
            raise EncodeError(
                f"the name of a search attribute has 1 to {_NAME_MAXIMUM} characters", path=name
            )
        if name.startswith(_RESERVED):
            raise EncodeError(
                f"search attributes whose names begin with {_RESERVED} are the engine's own",
                path=name,
            )
        kind = None if isinstance(key, str) else key.kind
        fields[name] = None if value is None else _field(name, kind, value)
    return fields


def attribute_values(fields: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """The values as users see them."""
    return {name: _value(kind, value) for name, (kind, value) in fields.items()}


def memo_fields(memo: Mapping[str, Any]) -> dict[str, bytes | None]:
    """The encoded values; None stays None.

    Raises:
        EncodeError: A value cannot travel.
    """
    return {key: None if value is None else encode(value) for key, value in memo.items()}


def memo_values(fields: Mapping[str, bytes]) -> dict[str, Any]:
    """The values, as plain ones."""
    plain = shape_of(Any)
    return {key: decode(data, plain) for key, data in fields.items()}


def _field(name: str, kind: str | None, value: Any) -> tuple[str, Any]:
    found = _kind_of(value)
    if kind == "double" and found == "int":
        value, found = float(value), "double"
    if found is None or kind not in {None, found}:
        wanted = "" if kind is None else f"of type {kind.removesuffix('_us')} "
        raise EncodeError(
            f"a value {wanted}was expected, not {value!r}: a search attribute is a text, an int of "
            "64 bits, a float, a bool, a datetime with a time zone, or a list of texts",
            path=name,
        )
    texts = cast("list[str]", value if found == "keyword_list" else [value])
    if found.startswith("keyword") and any(len(text) > _TEXT_MAXIMUM for text in texts):
        raise EncodeError(
            f"a text has at most {_TEXT_MAXIMUM} characters: put longer ones into the memo",
            path=name,
        )
    if found == "datetime_us":
        return found, (value - _EPOCH) // timedelta(microseconds=1)
    return found, list(value) if found == "keyword_list" else value


def _kind_of(value: Any) -> str | None:
    if isinstance(value, str):
        return "keyword"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT_LIMIT <= value < _INT_LIMIT else None
    if isinstance(value, float):
        return None if math.isnan(value) else "double"
    if isinstance(value, datetime):
        return None if value.utcoffset() is None else "datetime_us"
    if isinstance(value, list | tuple):
        elements = cast("Sequence[Any]", value)
        return "keyword_list" if all(isinstance(each, str) for each in elements) else None
    return None


def _value(kind: str, value: Any) -> Any:
    return _EPOCH + timedelta(microseconds=value) if kind == "datetime_us" else value
