"""OpenTelemetry: one trace from the client through a run's activities, in every language.

Needs `pip install "perdure[opentelemetry]"`.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure import activity, workflow
from perdure._interceptor import Interceptor
from perdure._workflow_interceptor import WorkflowInterceptor

if TYPE_CHECKING:
    from perdure._interceptor import (
        ExecuteActivityCall,
        Next,
        SendMessageCall,
        StartWorkflowCall,
    )
    from perdure._workflow_interceptor import StartChildWorkflowCall

__all__ = ["TracingInterceptor"]


class _ChildrenInTheTrace(WorkflowInterceptor):
    """A child begins with the trace context of its parent."""

    def __init__(self, fields: frozenset[str]) -> None:
        self._fields = fields

    def start_child_workflow(self, call: StartChildWorkflowCall) -> StartChildWorkflowCall:
        """The start, with the headers in which the context travels."""
        headers = workflow.info().headers
        context = {name: headers[name] for name in sorted(self._fields & headers.keys())}
        return replace(call, headers={**context, **call.headers})


class TracingInterceptor(Interceptor):
    """Spans for starts of workflows, signals, queries, updates, and attempts of activities.

    The trace context of the start travels in the run's headers, as the W3C's `traceparent` unless
    another propagator is set, and reaches foreign activities and child workflows too. Replay makes
    no spans.
    """

    def __init__(self, tracer: Any = None) -> None:
        """An interceptor for `Client.connect(interceptors=[…])`; its workers take it over.

        Args:
            tracer: An OpenTelemetry `Tracer`; that of the global provider by default.

        Raises:
            ModuleNotFoundError: OpenTelemetry is not installed.
        """
        self._trace = _module("trace")
        self._propagate = _module("propagate")
        self._tracer = self._trace.get_tracer("perdure") if tracer is None else tracer

    async def start_workflow(
        self, call: StartWorkflowCall, proceed: Next[StartWorkflowCall, str]
    ) -> str:
        """A span around the start; its context goes into the headers."""
        span = self._tracer.start_as_current_span(
            f"StartWorkflow:{call.workflow_type}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={"perdure.workflow_id": call.workflow_id},
        )
        with span:
            headers = dict(call.headers)
            self._propagate.inject(headers)
            return await proceed(replace(call, headers=headers))

    async def signal_workflow(
        self, call: SendMessageCall, proceed: Next[SendMessageCall, None]
    ) -> None:
        """A span around the signal."""
        with self._message_span("SignalWorkflow", call):
            await proceed(call)

    async def query_workflow(
        self, call: SendMessageCall, proceed: Next[SendMessageCall, Any]
    ) -> Any:
        """A span around the query."""
        with self._message_span("QueryWorkflow", call):
            return await proceed(call)

    async def start_update(self, call: SendMessageCall, proceed: Next[SendMessageCall, Any]) -> Any:
        """A span around the update, until it is accepted or as long as is waited for."""
        with self._message_span("StartWorkflowUpdate", call):
            return await proceed(call)

    def workflow_interceptor(self) -> WorkflowInterceptor:
        """What takes the trace over to children."""
        return _ChildrenInTheTrace(frozenset(self._propagate.get_global_textmap().fields))

    def _message_span(self, kind: str, call: SendMessageCall) -> Any:
        return self._tracer.start_as_current_span(
            f"{kind}:{call.name}",
            kind=self._trace.SpanKind.CLIENT,
            attributes={
                "perdure.workflow_id": call.workflow_id,
                "perdure.run_id": call.run_id,
            },
        )

    async def execute_activity(
        self, call: ExecuteActivityCall, proceed: Next[ExecuteActivityCall, Any]
    ) -> Any:
        """A span around the attempt, in the trace of the run's start."""
        info = activity.info()
        span = self._tracer.start_as_current_span(
            f"RunActivity:{call.activity}",
            context=self._propagate.extract(dict(call.headers)),
            kind=self._trace.SpanKind.SERVER,
            attributes={
                "perdure.workflow_id": info.workflow_id,
                "perdure.run_id": info.run_id,
                "perdure.attempt": info.attempt,
            },
        )
        with span:
            return await proceed(call)


def _module(name: str) -> Any:
    # An optional dependency: imported when somebody asks for it.
    try:
        return importlib.import_module(f"opentelemetry.{name}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'tracing needs OpenTelemetry: pip install "perdure[opentelemetry]"'
        ) from error
