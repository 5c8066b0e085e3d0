"""Queries: questions about a run's state, answered without a trace in its history."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, overload

from perdure import _runtime
from perdure.workflow._message_handler import MessageHandler, mark

__all__ = ["query", "set_dynamic_query_handler", "set_query_handler"]

Function = TypeVar("Function", bound=Callable[..., Any])


class QueryDecorator(Protocol):
    """What `query(name=…)` returns."""

    def __call__(self, fn: Function, /) -> Function: ...


@overload
def query(fn: Function, /) -> Function: ...
@overload
def query(*, name: str | None = None, dynamic: bool = False) -> QueryDecorator: ...
def query(fn: Any = None, /, *, name: str | None = None, dynamic: bool = False) -> Any:
    """Makes a plain method of a workflow class the answer to a query.

    It reads the workflow's state and must not change it: it runs on running, sleeping and closed
    runs alike, and nothing of it is recorded.

    Args:
        fn: The method.
        name: The query's name; the method's by default.
        dynamic: Whether it answers every query without a handler of its own, as
            `(self, name, arguments)`; False by default.

    Raises:
        TypeError: The method is `async`, or both a name and `dynamic` are given.
    """

    def decorate(method: Callable[..., Any]) -> Any:
        _refuse_coroutine(method)
        mark("query", method, name, dynamic=dynamic)
        return method

    return decorate if fn is None else decorate(fn)


def set_query_handler(name: str, handler: Callable[..., Any] | None) -> None:
    """Sets what answers the queries of a name from now on.

    Args:
        name: The query's name.
        handler: Takes the arguments; None takes the handler away.

    Raises:
        TypeError: The handler is `async`.
    """
    chosen = None if handler is None else MessageHandler.of(_refuse_coroutine(handler))
    _runtime.require("workflow.set_query_handler").set_query_handler(name, chosen)


def set_dynamic_query_handler(handler: Callable[[str, list[Any]], Any] | None) -> None:
    """Sets what answers queries that have no handler of their own.

    Args:
        handler: Takes the name and the arguments; None takes the handler away.

    Raises:
        TypeError: The handler is `async`.
    """
    chosen = None if handler is None else MessageHandler.of(_refuse_coroutine(handler))
    _runtime.require("workflow.set_dynamic_query_handler").set_query_handler(None, chosen)


def _refuse_coroutine(handler: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(handler):
        raise TypeError(f"{handler!r} waits for something: a query only reads, write `def`")
    return handler
