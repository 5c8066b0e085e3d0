"""Which alternatives of a union can be told apart by what is written, and in which order to try."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import typing
from collections import abc
from datetime import date, datetime, time
from itertools import combinations
from typing import Any, cast

from perdure._claims import is_claimed
from perdure.convert._generics import field_hints

__all__ = ["in_order_of_trial"]

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)


def in_order_of_trial(alternatives: tuple[Any, ...]) -> list[Any]:
    """The alternatives: special ones first, records with many fields before those with few.

    The order does not depend on that of the hint: Python takes `A | B` and `B | A` as equal.

    Raises:
        TypeError: Two of them look the same when they are written.
    """
    for left, right in combinations(alternatives, 2):
        if _look_alike(left, right):
            raise TypeError(
                f"{_name(left)} and {_name(right)} in one union look the same when they are "
                f"written: keep one of them, or give records a Literal field that differs"
            )
    return sorted(alternatives, key=_place)


def _place(hint: Any) -> tuple[int, int, str]:
    if is_claimed(hint):
        return 0, 0, repr(hint)
    fields = _fields_of(hint)
    if fields is not None:
        return 1, -len(fields), repr(hint)
    special = typing.get_origin(hint) is typing.Literal or _is_enum(hint)
    return (0 if special else 2), 0, repr(hint)


def _look_alike(left: Any, right: Any) -> bool:
    if is_claimed(left) or is_claimed(right):
        # Its converter knows what is its own.
        return False
    left_fields, right_fields = _fields_of(left), _fields_of(right)
    if left_fields is not None and right_fields is not None:
        if left_fields.keys() != right_fields.keys():
            return False
        return all(_may_be_equal(left_fields[name], right_fields[name]) for name in left_fields)
    left_list, right_list = _list_class(left), _list_class(right)
    if left_list is not None and right_list is not None:
        return left_list is not right_list
    if _is_enum(left) or _is_enum(right):
        return _enum_looks_like(left, right) or _enum_looks_like(right, left)
    left_text, right_text = _text_class(left), _text_class(right)
    return left_text is not None and right_text is not None and left_text is not right_text


def _enum_looks_like(hint: Any, other: Any) -> bool:
    """Whether a member could be taken for the other; a StrEnum equals its text, which is fine."""
    if not _is_enum(hint):
        return False
    values = [member.value for member in hint]
    if _is_enum(other):
        return any(value == member.value for value in values for member in other)
    return isinstance(other, type) and any(
        type(value) is other and not issubclass(hint, other) for value in values
    )


def _may_be_equal(left: Any, right: Any) -> bool:
    """Whether one written value could be of both hints; in doubt, yes."""
    literals = [
        set(typing.get_args(each))
        for each in (left, right)
        if typing.get_origin(each) is typing.Literal
    ]
    if len(literals) == 2:
        return not literals[0].isdisjoint(literals[1])
    if isinstance(left, type) and isinstance(right, type):
        plain = {bool, int, float, str, bytes, datetime}
        return left is right or not {left, right} <= plain
    return True


def _fields_of(hint: Any) -> dict[str, Any] | None:
    origin: Any = typing.get_origin(hint) or hint
    if not inspect.isclass(origin):
        return None
    if dataclasses.is_dataclass(origin) or hasattr(origin, "__required_keys__"):
        return field_hints(cast("type[Any]", origin), typing.get_args(hint))
    return None


def _list_class(hint: Any) -> Any:
    origin: Any = typing.get_origin(hint) or hint
    if origin in _LISTS:
        return list
    if origin is abc.Set:
        return set
    if inspect.isclass(origin) and issubclass(origin, tuple | set | frozenset):
        return cast("Any", origin)
    return None


def _text_class(hint: Any) -> Any:
    from perdure.convert._classes import to_plain_of

    if hint is str:
        return str
    if not inspect.isclass(hint) or issubclass(hint, datetime):
        return None
    is_text = issubclass(hint, date | time) or to_plain_of(cast("type[Any]", hint)) is str
    return cast("Any", hint) if is_text else None


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _name(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) else str(hint)
