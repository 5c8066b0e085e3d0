"""The handlers of a run's updates: validated while live, run once, answered by their end."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from typing import TYPE_CHECKING, Any, Protocol

from perdure._core import encode
from perdure.convert import failure_of
from perdure.errors import CancelledFailure, ContinueAsNew
from perdure.instance._handler_table import HandlerTable
from perdure.instance._reading import read
from perdure.instance._uncaught import is_failure
from perdure.workflow._message_handler import UpdateHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure._core import Failure
    from perdure.instance._at_work import HandlersAtWork
    from perdure.instance._loop import WorkflowLoop

__all__ = ["UpdateEnds", "UpdateHandlers"]


class UpdateEnds(Protocol):
    """How an update ends: the run's commands."""

    def complete_update(self, event_n: int, result: bytes, hint: Any) -> None:
        """Its handler returned."""
        ...

    def fail_update(self, event_n: int, failure: Failure) -> None:
        """Its handler failed."""
        ...

    def reject_update(self, failure: Failure) -> None:
        """Its validator refused it."""
        ...


class UpdateHandlers(HandlerTable[UpdateHandler]):
    """Delivers updates in the order of their receipt."""

    def __init__(
        self,
        loop: WorkflowLoop,
        at_work: HandlersAtWork,
        ends: UpdateEnds,
        *,
        raised: Callable[[BaseException], None],
        stop: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._loop = loop
        self._raised = raised
        self._at_work = at_work
        self._ends = ends
        self._stop = stop

    def deliver(self, event_n: int, name: str, arguments: bytes, *, is_live: bool) -> None:
        """Runs the handler of an update, if it is recorded already or its validator accepts it."""
        try:
            handler, values = self.require("update", name, arguments)
            if is_live and handler.validator is not None:
                run = contextvars.copy_context().run
                read(self._loop, f"validator of {name}", run, handler.validator, *values)
        except (Exception, asyncio.CancelledError) as error:
            if is_live:
                self._ends.reject_update(failure_of(error))
            else:
                # It was accepted: code that has no handler for it any more does not fit.
                self._stop(error)
            return
        self._run(event_n, name, handler, values)

    def _run(
        self, event_n: int, name: str, handler: UpdateHandler, values: tuple[Any, ...]
    ) -> None:
        context = contextvars.copy_context()
        try:
            result = context.run(handler.fn, *values)
        except (Exception, asyncio.CancelledError, ContinueAsNew) as error:
            self._failed(event_n, error)
            return
        if not inspect.iscoroutine(result):
            self._completed(event_n, handler, result)
            return
        task = self._loop.create_task(result, name=f"update {name}", context=context)
        self._at_work.add(task)
        task.add_done_callback(lambda ended: self._ended(event_n, handler, ended))

    def _ended(self, event_n: int, handler: UpdateHandler, task: asyncio.Task[Any]) -> None:
        if task.cancelled():
            self._failed(event_n, CancelledFailure("the update's handler was cancelled"))
        elif (error := task.exception()) is not None:
            self._failed(event_n, error)
        else:
            self._completed(event_n, handler, task.result())

    def _completed(self, event_n: int, handler: UpdateHandler, result: Any) -> None:
        try:
            data = encode(result)
        except Exception as error:
            self._stop(error)
            return
        self._ends.complete_update(event_n, data, handler.result_type)

    def _failed(self, event_n: int, error: BaseException) -> None:
        """A failure is the caller's answer, a bug parks the run (design law 7)."""
        if isinstance(error, asyncio.CancelledError):
            error = CancelledFailure("the update's handler was cancelled")
        if isinstance(error, ContinueAsNew):
            self._raised(error)
        elif is_failure(error):
            self._ends.fail_update(event_n, failure_of(error))
        else:
            self._stop(error)
