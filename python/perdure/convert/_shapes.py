"""Type hints, compiled once into the shapes by which payloads are decoded."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import types
import typing
import uuid
from collections import abc
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar, Union, cast

from perdure._core import Shape

__all__ = ["shape_of"]

_SIMPLE: dict[Any, str] = {
    Any: "any",
    object: "any",
    None: "none",
    types.NoneType: "none",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    datetime: "datetime",
    timedelta: "timedelta",
    Decimal: "decimal",
    uuid.UUID: "uuid",
}

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_MAPS = (dict, abc.Mapping, abc.MutableMapping)


def shape_of(hint: Any) -> Shape:
    """The shape of a type hint.

    Raises:
        TypeError: Values of that type cannot travel; the message says what can.
    """
    try:
        return _shape_of_hashable(hint)
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
        return _compile(hint, {})


@functools.lru_cache(maxsize=4096)
def _shape_of_hashable(hint: Any) -> Shape:
    return _compile(hint, {})


def _compile(hint: Any, open_records: dict[type, Shape]) -> Shape:
    simple = _SIMPLE.get(hint) if isinstance(hint, abc.Hashable) else None
    if simple is not None:
        return Shape.simple(simple)
    origin = typing.get_origin(hint)
    if origin is not None:
        return _compile_generic(hint, origin, open_records)
    if isinstance(hint, TypeVar):
        return _compile(hint.__bound__ or Any, open_records)
    if isinstance(hint, typing.NewType):
        return _compile(hint.__supertype__, open_records)
    if not inspect.isclass(hint):
        raise TypeError(f"values of type {hint!r} cannot travel: use a dataclass or plain types")
    return _compile_class(hint, open_records)


def _compile_class(cls: type[Any], open_records: dict[type, Shape]) -> Shape:
    if issubclass(cls, enum.Enum):
        return Shape.call(cls, Shape.simple("any"))
    if dataclasses.is_dataclass(cls):
        return _compile_dataclass(cls, open_records)
    if typing.is_typeddict(cls):
        return Shape.map(Shape.simple("any"))
    if cls in _LISTS:
        return Shape.list(Shape.simple("any"))
    if cls in _MAPS:
        return Shape.map(Shape.simple("any"))
    if cls in (tuple, set, frozenset):
        return Shape.collection(cls, Shape.simple("any"))
    raise TypeError(f"values of class {cls.__qualname__} cannot travel: use a dataclass")


def _compile_dataclass(cls: type[Any], open_records: dict[type, Shape]) -> Shape:
    if cls in open_records:
        return open_records[cls]
    deferred = Shape.deferred()
    inner = {**open_records, cls: deferred}
    hints = typing.get_type_hints(cls)
    fields = [
        (field.name, _compile(hints[field.name], inner), _is_required(field))
        for field in dataclasses.fields(cls)
        if field.init
    ]
    shape = Shape.record(cls, fields)
    deferred.resolve(shape)
    return shape


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _compile_generic(hint: Any, origin: Any, open_records: dict[type, Shape]) -> Shape:
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        return _compile(arguments[0], open_records)
    if origin is typing.Literal:
        return Shape.call(_one_of(arguments), Shape.simple("any"))
    if origin in (Union, types.UnionType):
        return _compile_union(arguments, open_records)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return Shape.tuple([_compile(each, open_records) for each in arguments])
    if origin in (tuple, set, frozenset):
        return Shape.collection(cast("type", origin), _compile(arguments[0], open_records))
    if origin is abc.Set:
        return Shape.collection(set, _compile(arguments[0], open_records))
    if origin in _LISTS:
        return Shape.list(_compile(arguments[0], open_records))
    if origin in _MAPS:
        if arguments[0] not in (str, Any):
            raise TypeError(f"{hint!r} cannot travel: map keys must be str")
        return Shape.map(_compile(arguments[1], open_records))
    if inspect.isclass(origin):
        return _compile_class(cast("type[Any]", origin), open_records)
    raise TypeError(f"values of type {hint!r} cannot travel: use a dataclass or plain types")


def _compile_union(arguments: tuple[Any, ...], open_records: dict[type, Shape]) -> Shape:
    present = [each for each in arguments if each is not types.NoneType]
    shapes = [_compile(each, open_records) for each in present]
    inner = shapes[0] if len(shapes) == 1 else Shape.union(shapes)
    return Shape.optional(inner) if len(present) < len(arguments) else inner


def _one_of(values: tuple[Any, ...]) -> abc.Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in values:
            raise ValueError(f"{value!r} is none of {values!r}")
        return value

    return check
