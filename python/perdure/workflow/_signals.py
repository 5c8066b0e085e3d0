"""Signals: messages that a run's code handles when they arrive, in the order of their receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

from perdure import _runtime
from perdure.workflow._message_handler import MessageHandler, mark

__all__ = [
    "all_handlers_finished",
    "set_dynamic_signal_handler",
    "set_signal_handler",
    "signal",
]

Function = TypeVar("Function", bound=Callable[..., Any])


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

    def decorate(method: Callable[..., Any]) -> Any:
        mark("signal", method, name, dynamic=dynamic)
        return method

    return decorate if fn is None else decorate(fn)


def set_signal_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Sets what handles the signals of a name from now on, those that wait for it included.

    Args:
        name: The signal's name.
        handler: Takes the arguments; None lets the signals wait again.
    """
    chosen = None if handler is None else MessageHandler.of(handler)
    _runtime.require("workflow.set_signal_handler").set_signal_handler(name, chosen)


def set_dynamic_signal_handler(handler: Callable[[str, list[Any]], Any] | None) -> None:
    """Sets what handles signals that have no handler of their own.

    Args:
        handler: Takes the name and the arguments; None lets such signals wait again.
    """
    chosen = None if handler is None else MessageHandler.of(handler)
    _runtime.require("workflow.set_dynamic_signal_handler").set_signal_handler(None, chosen)


def all_handlers_finished() -> bool:
    """Whether no `async` handler is still at work: to be waited for before the run ends."""
    return _runtime.require("workflow.all_handlers_finished").all_handlers_finished()
