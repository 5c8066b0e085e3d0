"""Updates: messages that a run validates and handles, and whose senders wait for the result."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, Self, TypeVar, cast, overload

from perdure import _runtime
from perdure.workflow._message_handler import UpdateHandler, mark, mark_validator

__all__ = ["UpdateMethod", "set_dynamic_update_handler", "set_update_handler", "update"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class UpdateMethod(Protocol[Parameters, Result_co]):
    """The handler of an update: the method itself, to which a validator can be given."""

    __name__: str

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result_co:
        """Calls the method."""
        ...

    @overload
    def __get__(self, instance: None, owner: type, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type, /) -> Callable[..., Result_co]: ...

    def validator(self, fn: Callable[Parameters, None], /) -> Callable[Parameters, None]:
        """Makes a plain method with the same parameters the validator of the update.

        It raises to refuse the update, which then leaves no trace, and changes nothing.
        """
        ...


class UpdateDecorator(Protocol):
    """What `update(name=…)` returns."""

    def __call__(self, fn: Callable[Parameters, Result], /) -> UpdateMethod[Parameters, Result]: ...


@overload
def update(fn: Callable[Parameters, Result], /) -> UpdateMethod[Parameters, Result]: ...
@overload
def update(*, name: str | None = None, dynamic: bool = False) -> UpdateDecorator: ...
def update(fn: Any = None, /, *, name: str | None = None, dynamic: bool = False) -> Any:
    """Makes a method of a workflow class the handler of an update.

    What it returns is the sender's answer. The method may be `async`, and may call activities; a
    `FailureError` that it raises fails the update and not the run. `@<method>.validator` marks what
    accepts or refuses an update before anything of it is recorded.

    Args:
        fn: The method.
        name: The update's name; the method's by default.
        dynamic: Whether it handles every update without a handler of its own, as
            `(self, name, arguments)`; False by default.

    Raises:
        TypeError: Both a name and `dynamic`.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        mark("update", method, name, dynamic=dynamic)

        def validator(checks: Callable[..., Any]) -> Any:
            mark_validator(method, _refuse_coroutine(checks))
            return checks

        # The method stays the plain function that it is.
        cast("Any", method).validator = validator
        return method

    return decorate if fn is None else decorate(fn)


def set_update_handler(
    name: str,
    handler: Callable[..., Any] | None,
    *,
    validator: Callable[..., Any] | None = None,
) -> None:
    """Sets what handles the updates of a name from now on.

    Args:
        name: The update's name.
        handler: Takes the arguments; None takes the handler away.
        validator: A plain function of the same arguments, which raises to refuse an update; every
            update is accepted by default.

    Raises:
        TypeError: The validator is `async`.
    """
    chosen = _handler_of(handler, validator)
    _runtime.require("workflow.set_update_handler").set_update_handler(name, chosen)


def set_dynamic_update_handler(
    handler: Callable[[str, list[Any]], Any] | None,
    *,
    validator: Callable[[str, list[Any]], Any] | None = None,
) -> None:
    """Sets what handles updates that have no handler of their own.

    Args:
        handler: Takes the name and the arguments; None takes the handler away.
        validator: A plain function of the same arguments, which raises to refuse an update; every
            update is accepted by default.

    Raises:
        TypeError: The validator is `async`.
    """
    chosen = _handler_of(handler, validator)
    _runtime.require("workflow.set_dynamic_update_handler").set_update_handler(None, chosen)


def _handler_of(
    handler: Callable[..., Any] | None, validator: Callable[..., Any] | None
) -> UpdateHandler | None:
    if handler is None:
        return None
    checks = None if validator is None else _refuse_coroutine(validator)
    return UpdateHandler.of(handler, checks)


def _refuse_coroutine(validator: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(validator):
        raise TypeError(f"{validator!r} waits for something: a validator only reads, write `def`")
    return validator
