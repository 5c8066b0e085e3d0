"""All that handles messages in one run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from perdure.instance._around import handler_around
from perdure.instance._at_work import HandlersAtWork
from perdure.instance._queries import QueryHandlers
from perdure.instance._signals import SignalHandlers
from perdure.instance._updates import UpdateHandlers
from perdure.workflow._message_handler import handlers_of, update_handlers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from perdure._workflow_interceptor import WorkflowInterceptor
    from perdure.instance._loop import WorkflowLoop
    from perdure.instance._updates import UpdateEnds

__all__ = ["Handlers"]


class Handlers:
    """The handlers of signals, queries and updates, and those of them that are at work."""

    def __init__(
        self,
        loop: WorkflowLoop,
        ends: UpdateEnds,
        *,
        raised: Callable[[BaseException], None],
        stop: Callable[[BaseException], None],
    ) -> None:
        self.at_work = HandlersAtWork()
        self.signals = SignalHandlers(loop, self.at_work, raised)
        self.queries = QueryHandlers(loop)
        self.updates = UpdateHandlers(loop, self.at_work, ends, raised=raised, stop=stop)

    def intercept(self, interceptors: Sequence[WorkflowInterceptor]) -> None:
        """Puts the run's interceptors around all handlers."""
        self.signals.around = partial(handler_around, interceptors, "handle_signal")
        self.queries.around = partial(handler_around, interceptors, "handle_query")
        self.updates.around = partial(handler_around, interceptors, "handle_update")

    def bind(self, instance: object) -> None:
        """Takes the handlers that the workflow's class declares."""
        self.signals.bind(handlers_of("signal", instance))
        self.queries.bind(handlers_of("query", instance))
        self.updates.bind(update_handlers_of(instance))
