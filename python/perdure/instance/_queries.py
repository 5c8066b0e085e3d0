"""Answers to queries: read from the instance as it stands, changing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure._core import encode
from perdure.instance._handler_table import HandlerTable
from perdure.instance._reading import read
from perdure.workflow._message_handler import MessageHandler

if TYPE_CHECKING:
    from perdure.instance._loop import WorkflowLoop

__all__ = ["QueryHandlers"]


class QueryHandlers(HandlerTable[MessageHandler]):
    """The query handlers of one run."""

    def __init__(self, loop: WorkflowLoop) -> None:
        super().__init__()
        self._loop = loop

    def answer(self, name: str, arguments: bytes) -> bytes:
        """The encoded answer.

        Raises:
            LookupError: No handler has the name.
            Exception: Whatever the handler raises; `EncodeError` when its answer cannot travel.
        """
        handler, values = self.require("query", name, arguments)
        return encode(read(self._loop, f"query {name}", handler.fn, *values))
