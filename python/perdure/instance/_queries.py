"""Answers to queries: read from the instance as it stands, changing nothing."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from perdure._core import encode
from perdure.convert import decode_arguments

if TYPE_CHECKING:
    from perdure.instance._loop import WorkflowLoop
    from perdure.workflow._message_handler import MessageHandler

__all__ = ["QueryHandlers"]


class QueryHandlers:
    """The query handlers of one run."""

    def __init__(self, loop: WorkflowLoop) -> None:
        self._loop = loop
        self._handlers: dict[str | None, MessageHandler] = {}

    def bind(self, handlers: dict[str | None, MessageHandler]) -> None:
        """Takes the handlers that the workflow's class declares."""
        self._handlers.update(handlers)

    def set(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a name, or the dynamic one."""
        if handler is None:
            self._handlers.pop(name, None)
        else:
            self._handlers[name] = handler

    def answer(self, name: str, arguments: bytes) -> bytes:
        """The encoded answer.

        Raises:
            LookupError: No handler has the name.
            Exception: Whatever the handler raises; `EncodeError` when its answer cannot travel.
        """
        handler, values = self._chosen(name, arguments)
        # Chance drawn here must not move the run's own streams.
        streams = self._loop.random_streams
        self._loop.random_streams = streams and streams.scoped(f"query {name}")
        try:
            answer = self._loop.inside_reading(handler, *values)
        finally:
            self._loop.random_streams = streams
        return encode(answer)

    def _chosen(self, name: str, arguments: bytes) -> tuple[Any, tuple[Any, ...]]:
        handler = self._handlers.get(name)
        if handler is not None:
            values = decode_arguments(handler.parameter_types, arguments)
            inspect.signature(handler.fn).bind(*values)
            return handler.fn, values
        dynamic = self._handlers.get(None)
        if dynamic is not None:
            return dynamic.fn, (name, list(decode_arguments((), arguments)))
        known = ", ".join(sorted(each for each in self._handlers if each is not None))
        raise LookupError(f"the workflow has no query {name!r}; it has: {known or 'none'}")
