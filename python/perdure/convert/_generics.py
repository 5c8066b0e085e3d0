"""Fields of classes with type parameters: each field's hint, with the parameters filled in."""

from __future__ import annotations

import typing
from typing import Any, TypeVar, cast

__all__ = ["field_hints", "required_keys", "substitute"]


def field_hints(cls: type[Any], arguments: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The hints of a class's fields, inherited ones too.

    Args:
        cls: The class.
        arguments: What stands for its type parameters; nothing by default.
    """
    hints = typing.get_type_hints(cls)
    bound = _bound_parameters(cls, arguments)
    if not any(bound.values()):
        return hints
    owners = {
        name: owner
        for owner in reversed(cls.__mro__)
        for name in vars(owner).get("__annotations__", ())
    }
    return {
        name: substitute(hint, bound.get(owners.get(name, cls), {})) for name, hint in hints.items()
    }


def required_keys(cls: type[Any]) -> set[str]:
    """The keys that a TypedDict always has.

    Its own `__required_keys__` miss `NotRequired[…]` in annotations that are text.
    """
    required: set[str] = set(getattr(cls, "__required_keys__", ()))
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        qualifier = getattr(typing.get_origin(hint), "_name", "")
        if qualifier == "NotRequired":
            required.discard(name)
        elif qualifier == "Required":
            required.add(name)
    return required


def substitute(hint: Any, parameters: dict[Any, Any]) -> Any:
    """The hint with its type parameters replaced."""
    if isinstance(hint, TypeVar):
        return parameters.get(hint, hint)
    own: tuple[Any, ...] = getattr(hint, "__parameters__", ())
    if not own or isinstance(hint, type):
        return hint
    return hint[tuple(parameters.get(each, each) for each in own)]


def _bound_parameters(
    cls: type[Any], arguments: tuple[Any, ...]
) -> dict[type[Any], dict[Any, Any]]:
    """For the class and each of its bases: what stands for their type parameters."""
    parameters: tuple[Any, ...] = getattr(cls, "__parameters__", ())
    own = dict(zip(parameters, arguments, strict=False))
    bound: dict[type[Any], dict[Any, Any]] = {cls: own}
    for base in getattr(cls, "__orig_bases__", ()):
        origin = typing.get_origin(base)
        if isinstance(origin, type) and origin is not typing.Generic:
            given = tuple(substitute(each, own) for each in typing.get_args(base))
            bound.update(_bound_parameters(cast("type[Any]", origin), given))
    return bound
