"""Which handler takes a message of a name, and the arguments that it gets."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar

from perdure.convert import decode_arguments
from perdure.workflow._message_handler import MessageHandler, UpdateHandler

__all__ = ["HandlerTable"]

Handler = TypeVar("Handler", MessageHandler, UpdateHandler)


class HandlerTable(Generic[Handler]):
    """The handlers of one kind of message by name; the dynamic one under None."""

    def __init__(self) -> None:
        self._handlers: dict[str | None, Handler] = {}
        self.around: Callable[[str, Callable[..., Any]], Callable[..., Any]] | None = None
        """Puts the run's interceptors around the handler of a message; None when it has none."""

    def bind(self, handlers: dict[str | None, Handler]) -> None:
        """Takes the handlers that the workflow's class declares."""
        self._handlers.update(handlers)

    def set(self, name: str | None, handler: Handler | None) -> None:
        """Sets the handler of a name, or the dynamic one."""
        if handler is None:
            self._handlers.pop(name, None)
        else:
            self._handlers[name] = handler

    def find(self, name: str, arguments: bytes) -> tuple[Handler, tuple[Any, ...]] | None:
        """The handler of a message and its decoded arguments; None when nobody takes it.

        Raises:
            DecodeError: The arguments do not fit the types of the handler.
            TypeError: They are too many or too few.
        """
        handler = self._handlers.get(name)
        if handler is not None:
            values = decode_arguments(handler.parameter_types, arguments)
            inspect.signature(handler.fn).bind(*values)
            return self._intercepted(name, handler), values
        dynamic = self._handlers.get(None)
        if dynamic is not None:
            return self._intercepted(name, dynamic), (name, list(decode_arguments((), arguments)))
        return None

    def _intercepted(self, name: str, handler: Handler) -> Handler:
        return (
            handler if self.around is None else replace(handler, fn=self.around(name, handler.fn))
        )

    def require(self, kind: str, name: str, arguments: bytes) -> tuple[Handler, tuple[Any, ...]]:
        """As `find`, for a kind of message that cannot wait for its handler.

        Raises:
            LookupError: No handler has the name.
        """
        found = self.find(name, arguments)
        if found is not None:
            return found
        known = ", ".join(sorted(each for each in self._handlers if each is not None))
        raise LookupError(f"the workflow has no {kind} {name!r}; it has: {known or 'none'}")
