"""The handlers of a run's signals: who takes which, and which signals wait."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any

from perdure.errors import ContinueAsNew, DecodeError
from perdure.instance._handler_table import HandlerTable
from perdure.workflow._logger import logger
from perdure.workflow._message_handler import MessageHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure.instance._at_work import HandlersAtWork
    from perdure.instance._loop import WorkflowLoop

__all__ = ["SignalHandlers"]


class SignalHandlers(HandlerTable[MessageHandler]):
    """Delivers signals in the order of their receipt; one that nobody handles yet waits."""

    def __init__(
        self,
        loop: WorkflowLoop,
        at_work: HandlersAtWork,
        raised: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._at_work = at_work
        self._raised = raised
        self._waiting: list[tuple[str, bytes]] = []

    def set(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a name, or the dynamic one; what waited for it is delivered."""
        super().set(name, handler)
        if handler is None:
            return
        waiting, self._waiting = self._waiting, []
        for signal in waiting:
            # Not at once: the code that sets a handler is in the middle of something else.
            self._loop.call_soon(self.deliver, *signal)

    def deliver(self, name: str, arguments: bytes) -> None:
        """Runs the handler of a signal, or keeps the signal until there is one."""
        try:
            found = self.find(name, arguments)
            if found is None:
                self._waiting.append((name, arguments))
            else:
                self._run(name, *found)
        except (DecodeError, TypeError) as error:
            # A poisoned message must not stop the run: it stays in the history.
            logger.error("the signal %r is dropped, its arguments do not fit: %s", name, error)

    def _run(self, name: str, handler: MessageHandler, values: tuple[Any, ...]) -> None:
        context = contextvars.copy_context()
        try:
            result = context.run(handler.fn, *values)
        except (Exception, asyncio.CancelledError, ContinueAsNew) as error:
            self._raised(error)
            return
        if inspect.iscoroutine(result):
            task = self._loop.create_task(result, name=f"signal {name}", context=context)
            self._at_work.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._raised(error)
