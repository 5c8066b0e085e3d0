"""Type hints, compiled once into the shapes by which payloads are decoded."""

from __future__ import annotations

import contextlib
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
from typing import Any, TypeAlias, TypeVar, Union, cast

from perdure._core import Shape, encode
from perdure.convert._classes import from_plain_of, union_reader
from perdure.convert._generics import field_hints, required_keys, substitute
from perdure.convert._unions import in_order_of_trial
from perdure.errors import EncodeError

__all__ = ["check_travels", "shape_of"]

OpenShapes: TypeAlias = dict[Any, Shape]
"""Types being compiled, which may contain themselves."""

_QUALIFIERS = {"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"}

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


def check_travels(value: Any) -> None:
    """Whether a value can be represented in every language.

    Raises:
        EncodeError: It cannot.
    """
    encode(value)


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


def _compile(hint: Any, open_shapes: OpenShapes) -> Shape:
    simple = _SIMPLE.get(hint) if isinstance(hint, abc.Hashable) else None
    if simple is not None:
        return Shape.simple(simple)
    origin = typing.get_origin(hint)
    if origin is not None:
        return _compile_generic(hint, origin, open_shapes)
    if isinstance(hint, TypeVar):
        return _compile_type_variable(hint, open_shapes)
    if isinstance(hint, typing.NewType):
        return _compile(hint.__supertype__, open_shapes)
    if _is_alias(hint):
        return _compile_once(hint, cast("Any", hint).__value__, open_shapes)
    if not inspect.isclass(hint):
        raise TypeError(f"values of type {hint!r} cannot travel: use a dataclass or plain types")
    return _compile_class(hint, hint, open_shapes)


def _is_alias(hint: Any) -> bool:
    """Whether it is `type Name = …`, of Python or of typing_extensions."""
    return type(hint).__name__ == "TypeAliasType"


def _compile_type_variable(hint: TypeVar, open_shapes: OpenShapes) -> Shape:
    if hint.__constraints__:
        return _compile_union(hint.__constraints__, open_shapes)
    return _compile(hint.__bound__ or Any, open_shapes)


def _compile_once(key: Any, meaning: Any, open_shapes: OpenShapes) -> Shape:
    """An alias, which may contain itself."""
    if key in open_shapes:
        return open_shapes[key]
    deferred = Shape.deferred()
    shape = _compile(meaning, {**open_shapes, key: deferred})
    deferred.resolve(shape)
    return shape


def _compile_class(cls: type[Any], hint: Any, open_shapes: OpenShapes) -> Shape:
    """The shape of a class; `hint` has its type arguments too."""
    from_plain = from_plain_of(cls, hint)
    if from_plain is not None:
        return Shape.call(from_plain, Shape.simple("any"))
    if issubclass(cls, enum.Enum):
        return Shape.call(_member_of(cls), Shape.simple("any"))
    if dataclasses.is_dataclass(cls) or hasattr(cls, "__required_keys__"):
        return _compile_record(cls, hint, open_shapes)
    if _is_named_tuple(cls):
        return _compile_named_tuple(cls, hint, open_shapes)
    if cls in _LISTS:
        return Shape.list(Shape.simple("any"))
    if cls in _MAPS:
        return Shape.map(Shape.simple("any"))
    if cls is abc.Set:
        return Shape.collection(set, Shape.simple("any"))
    if cls in (tuple, set, frozenset):
        return Shape.collection(cls, Shape.simple("any"))
    raise TypeError(
        f"values of class {cls.__qualname__} cannot travel: use a dataclass, or "
        f"perdure.register_type"
    )


def _is_named_tuple(cls: type[Any]) -> bool:
    return issubclass(cls, tuple) and hasattr(cast("Any", cls), "_make")


def _compile_named_tuple(cls: Any, hint: Any, open_shapes: OpenShapes) -> Shape:
    hints = field_hints(cls, typing.get_args(hint))
    items = [_compile(hints.get(name, Any), open_shapes) for name in cls._fields]
    return Shape.call(cls._make, Shape.tuple(items))


def _compile_record(cls: type[Any], hint: Any, open_shapes: OpenShapes) -> Shape:
    if hint in open_shapes:
        return open_shapes[hint]
    deferred = Shape.deferred()
    inner = {**open_shapes, hint: deferred}
    hints = field_hints(cls, typing.get_args(hint))
    if dataclasses.is_dataclass(cls):
        fields = [
            (field.name, _compile(hints[field.name], inner), _is_required(field))
            for field in dataclasses.fields(cls)
            if field.init
        ]
        shape = Shape.record(cls, fields)
    else:
        required = required_keys(cls)
        entries = [(name, _compile(each, inner), name in required) for name, each in hints.items()]
        shape = Shape.record(dict, entries)
    deferred.resolve(shape)
    return shape


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _compile_generic(hint: Any, origin: Any, open_shapes: OpenShapes) -> Shape:
    arguments = typing.get_args(hint)
    if origin is typing.Annotated or getattr(origin, "_name", "") in _QUALIFIERS:
        return _compile(arguments[0], open_shapes)
    if origin is typing.Literal:
        return Shape.call(_one_of(arguments), Shape.simple("any"))
    if origin in (Union, types.UnionType):
        return _compile_union(arguments, open_shapes)
    if _is_alias(origin):
        parameters = dict(zip(origin.__type_params__, arguments, strict=False))
        return _compile_once(hint, substitute(origin.__value__, parameters), open_shapes)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return Shape.tuple([_compile(each, open_shapes) for each in arguments])
    if origin in (tuple, set, frozenset):
        return Shape.collection(cast("type", origin), _compile(arguments[0], open_shapes))
    if origin is abc.Set:
        return Shape.collection(set, _compile(arguments[0], open_shapes))
    if origin in _LISTS:
        return Shape.list(_compile(arguments[0], open_shapes))
    if origin in _MAPS:
        return _compile_map(hint, arguments[0], arguments[1], open_shapes)
    if inspect.isclass(origin):
        return _compile_class(cast("type[Any]", origin), hint, open_shapes)
    raise TypeError(f"values of type {hint!r} cannot travel: use a dataclass or plain types")


def _compile_map(hint: Any, key: Any, value: Any, open_shapes: OpenShapes) -> Shape:
    values = Shape.map(_compile(value, open_shapes))
    while isinstance(key, typing.NewType):
        key = key.__supertype__
    if key in (str, Any):
        return values
    is_text = (inspect.isclass(key) and issubclass(key, str)) or (
        typing.get_origin(key) is typing.Literal
        and all(isinstance(each, str) for each in typing.get_args(key))
    )
    if not is_text:
        raise TypeError(f"{hint!r} cannot travel: map keys must be str")
    key_of: Any = _one_of(typing.get_args(key)) if typing.get_args(key) else key
    return Shape.call(lambda read: {key_of(name): each for name, each in read.items()}, values)


def _compile_union(arguments: tuple[Any, ...], open_shapes: OpenShapes) -> Shape:
    present = tuple(each for each in arguments if each is not types.NoneType)
    if Any in present or object in present:
        return Shape.simple("any")
    if len(present) == 1:
        inner = _compile(present[0], open_shapes)
    elif (read := union_reader(present)) is not None:
        inner = Shape.call(read, Shape.simple("any"))
    else:
        ordered = in_order_of_trial(present)
        inner = Shape.union([_compile(each, open_shapes) for each in ordered])
    return Shape.optional(inner) if len(present) < len(arguments) else inner


def _one_of(values: tuple[Any, ...]) -> abc.Callable[[Any], Any]:
    by_value = {encode(each): each for each in values}

    def check(value: Any) -> Any:
        # By what is written: 1 is neither True nor 1.0, and an enum's member is its value.
        member = by_value.get(encode(value), check)
        if member is check:
            raise ValueError(f"{value!r} is none of {values!r}")
        return member

    return check


def _member_of(cls: Any) -> abc.Callable[[Any], Any]:
    """Members by value; the values may be of types that do not come back as they are."""
    by_value: dict[bytes, enum.Enum] = {}
    for member in cls:
        with contextlib.suppress(EncodeError):
            by_value[encode(member.value)] = member

    def find(value: Any) -> Any:
        member = by_value.get(encode(value))
        return cls(value) if member is None else member

    return find
