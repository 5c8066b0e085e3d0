"""OpenTelemetry: one trace from the client through a run's activities, in every language.

Needs `pip install "perdure[opentelemetry]"`.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perdure import activity
from perdure._interceptor import Interceptor

if TYPE_CHECKING:
    from perdure._interceptor import ExecuteActivityCall, Next, StartWorkflowCall

__all__ = ["TracingInterceptor"]


class TracingInterceptor(Interceptor):
    """Spans for starts of workflows and for attempts of activities.

    The trace context of the start travels in the run's headers, as the W3C's `traceparent` unless
    another propagator is set, and reaches foreign activities too. Replay makes no spans.
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
