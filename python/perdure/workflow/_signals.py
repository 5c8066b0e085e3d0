"""Signals: messages that a run's code handles when they arrive, in the order of their receipt."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast, overload

from perdure import _runtime

__all__ = [
    "SignalHandler",
    "all_handlers_finished",
    "set_dynamic_signal_handler",
    "set_signal_handler",
    "signal",
    "signal_name",
    "signals_of",
]

Function = TypeVar("Function", bound=Callable[..., Any])
_MARK = "__perdure_signal__"


@dataclass(frozen=True, slots=True)
class SignalHandler:
    """What handles a signal, and the types of its arguments."""

    fn: Callable[..., Any]
    """Takes the arguments; a dynamic handler takes the name and a list of them."""
    parameter_types: tuple[Any, ...]
    """Types of the positional parameters; `Any` where nothing is declared."""

    @staticmethod
    def of(fn: Callable[..., Any]) -> SignalHandler:
        """The handler that a plain or bound function is."""
        hints = typing.get_type_hints(fn)
        parameters = inspect.signature(fn).parameters
        return SignalHandler(fn, tuple(hints.get(name, Any) for name in parameters))


class SignalDecorator(Protocol):
    """What `signal(name=…)` returns."""

    def __call__(self, fn: Function, /) -> Function: ...


@overload
def signal(fn: Function, /) -> Function: ...
@overload
def signal(*, name: str | None = None, dynamic: bool = False) -> SignalDecorator: ...
def signal(fn: Any = None, /, *, name: str | None = None, dynamic: bool = False) -> Any:
    """Makes a method of a workflow class the handler of a signal.

    The method may be `async`: it then runs beside the workflow, and
    `wait_condition(all_handlers_finished)` waits for all of them. What it returns is ignored.

    Args:
        fn: The method.
        name: The signal's name; the method's by default.
        dynamic: Whether it handles every signal without a handler of its own, as
            `(self, name, arguments)`; False by default.

    Raises:
        TypeError: Both a name and `dynamic`.
    """
    if name is not None and dynamic:
        raise TypeError("a dynamic signal handler takes every name: give it none")

    def decorate(method: Callable[..., Any]) -> Any:
        setattr(method, _MARK, (None if dynamic else name or method.__name__,))
        return method

    return decorate if fn is None else decorate(fn)


def signal_name(target: str | Callable[..., Any]) -> str:
    """The name behind what users pass to `WorkflowHandle.signal`.

    Raises:
        TypeError: Neither a name nor a decorated method.
    """
    if isinstance(target, str):
        return target
    mark = getattr(target, _MARK, (None,))[0]
    if mark is None:
        raise TypeError(f"{target!r} is no signal: give its name, or decorate it")
    return cast("str", mark)


def signals_of(instance: object) -> dict[str | None, SignalHandler]:
    """The handlers that a workflow object has, by name; the dynamic one under None."""
    handlers: dict[str | None, SignalHandler] = {}
    for attribute in dir(type(instance)):
        mark = getattr(inspect.getattr_static(type(instance), attribute), _MARK, None)
        if mark is not None:
            handlers[mark[0]] = SignalHandler.of(getattr(instance, attribute))
    return handlers


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Sets what handles the signals of a name from now on, those that wait for it included.

    Args:
        name: The signal's name.
        handler: Takes the arguments; None lets the signals wait again.
    """
    chosen = None if handler is None else SignalHandler.of(handler)
    _runtime.require("workflow.set_signal_handler").set_signal_handler(name, chosen)


def set_dynamic_signal_handler(handler: Callable[[str, list[Any]], Any] | None) -> None:
    """Sets what handles signals that have no handler of their own.

    Args:
        handler: Takes the name and the arguments; None lets such signals wait again.
    """
    chosen = None if handler is None else SignalHandler.of(handler)
    _runtime.require("workflow.set_dynamic_signal_handler").set_signal_handler(None, chosen)


def all_handlers_finished() -> bool:
    """Whether no `async` handler is still at work: to be waited for before the run ends."""
    return _runtime.require("workflow.all_handlers_finished").all_handlers_finished()
