"""What handles messages of a name: methods that a decorator has marked, or functions set later."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = [
    "MessageHandler",
    "UpdateHandler",
    "handlers_of",
    "mark",
    "mark_validator",
    "name_of",
    "update_handlers_of",
]

_VALIDATOR = "__perdure_validator__"


@dataclass(frozen=True, slots=True)
class MessageHandler:
    """A handler, and the types of its arguments."""

    fn: Callable[..., Any]
    """Takes the arguments; a dynamic handler takes the name and a list of them."""
    parameter_types: tuple[Any, ...]
    """Types of the positional parameters; `Any` where nothing is declared."""

    @staticmethod
    def of(fn: Callable[..., Any]) -> MessageHandler:
        """The handler that a plain or bound function is."""
        hints = typing.get_type_hints(fn)
        parameters = inspect.signature(fn).parameters
        return MessageHandler(fn, tuple(hints.get(name, Any) for name in parameters))


@dataclass(frozen=True, slots=True)
class UpdateHandler:
    """The handler of an update, and what accepts or refuses one before."""

    fn: Callable[..., Any]
    """Takes the arguments; a dynamic handler takes the name and a list of them."""
    parameter_types: tuple[Any, ...]
    """Types of the positional parameters; `Any` where nothing is declared."""
    result_type: Any
    """What it returns; `Any` where nothing is declared."""
    validator: Callable[..., Any] | None
    """Takes the same arguments, and raises to refuse them; None accepts all."""

    @staticmethod
    def of(fn: Callable[..., Any], validator: Callable[..., Any] | None) -> UpdateHandler:
        """The handler that a plain or bound function is."""
        result_type = typing.get_type_hints(fn).get("return", Any)
        return UpdateHandler(fn, MessageHandler.of(fn).parameter_types, result_type, validator)


def mark(kind: str, method: Callable[..., Any], name: str | None, *, dynamic: bool) -> None:
    """Makes a method the handler of messages of this kind.

    Raises:
        TypeError: Both a name and `dynamic`.
    """
    if name is not None and dynamic:
        raise TypeError(f"a dynamic {kind} handler takes every name: give it none")
    setattr(method, _attribute(kind), (None if dynamic else name or method.__name__,))


def mark_validator(method: Callable[..., Any], validator: Callable[..., Any]) -> None:
    """Makes a method the validator of an update's handler."""
    setattr(method, _VALIDATOR, validator)


def name_of(kind: str, target: str | Callable[..., Any]) -> str:
    """The name behind what users pass to `WorkflowHandle`.

    Raises:
        TypeError: Neither a name nor a decorated method.
    """
    if isinstance(target, str):
        return target
    marked: tuple[str | None] = getattr(target, _attribute(kind), (None,))
    if marked[0] is None:
        raise TypeError(f"{target!r} is no {kind}: give its name, or decorate it")
    return marked[0]


def handlers_of(kind: str, instance: object) -> dict[str | None, MessageHandler]:
    """The handlers that a workflow object has, by name; the dynamic one under None."""
    return {
        each.name: MessageHandler(getattr(instance, each.attribute), each.parameter_types)
        for each in _declared(kind, _class_of(instance))
    }


def update_handlers_of(instance: object) -> dict[str | None, UpdateHandler]:
    """The update handlers that a workflow object has, by name; the dynamic one under None."""
    handlers: dict[str | None, UpdateHandler] = {}
    for each in _declared("update", _class_of(instance)):
        method = getattr(instance, each.attribute)
        validator = getattr(method, _VALIDATOR, None)
        bound = None if validator is None else validator.__get__(instance)
        handlers[each.name] = UpdateHandler(method, each.parameter_types, each.result_type, bound)
    return handlers


def _class_of(instance: object) -> Any:
    # To type checkers an object's class may have no hash.
    return type(instance)


class _Declared(NamedTuple):
    """A marked method of a class."""

    attribute: str
    name: str | None
    parameter_types: tuple[Any, ...]
    result_type: Any


@functools.lru_cache(maxsize=1_000)
def _declared(kind: str, cls: type) -> tuple[_Declared, ...]:
    """What a class declares for a kind. Kept: reading it takes longer than beginning a run."""
    found: list[_Declared] = []
    for attribute in dir(cls):
        method = inspect.getattr_static(cls, attribute)
        marked: tuple[str | None] | None = getattr(method, _attribute(kind), None)
        if marked is None:
            continue
        function = getattr(cls, attribute)
        hints = typing.get_type_hints(function)
        parameters = list(inspect.signature(function).parameters)
        if not isinstance(method, staticmethod | classmethod):
            del parameters[:1]
        types = tuple(hints.get(name, Any) for name in parameters)
        found.append(_Declared(attribute, marked[0], types, hints.get("return", Any)))
    return tuple(found)


def _attribute(kind: str) -> str:
    return f"__perdure_{kind}__"
