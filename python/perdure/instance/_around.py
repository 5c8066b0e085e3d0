"""A run's interceptors, put around its code and around what it asks for."""

from __future__ import annotations

import inspect
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from perdure._interceptor import around
from perdure._workflow_interceptor import (
    ExecuteWorkflowCall,
    HandleMessageCall,
    ScheduleActivityCall,
    StartChildWorkflowCall,
    WorkflowInterceptor,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from perdure.activity._options import ActivityOptions
    from perdure.activity._reference import ActivityReference
    from perdure.instance._children import Children
    from perdure.instance._instance import Instance
    from perdure.workflow._child_options import ChildOptions
    from perdure.workflow._children import ChildReference
    from perdure.workflow._handle import ActivityHandle

__all__ = ["InterceptedRuntime", "handler_around", "main_around", "overriding"]


def main_around(
    interceptors: Sequence[WorkflowInterceptor],
    workflow_type: str,
    run: Callable[..., Coroutine[Any, Any, Any]],
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """A run's main coroutine function with the interceptors around it."""
    chosen = overriding(interceptors, "execute_workflow")
    if not chosen:
        return run

    async def main(*arguments: Any) -> Any:
        async def innermost(call: ExecuteWorkflowCall) -> Any:
            return await run(*call.arguments)

        call = ExecuteWorkflowCall(workflow_type, arguments)
        return await around(chosen, "execute_workflow", innermost)(call)

    return main


def handler_around(
    interceptors: Sequence[WorkflowInterceptor], method: str, name: str, fn: Callable[..., Any]
) -> Callable[..., Any]:
    """The handler of a message of a name, with that method of the interceptors around it."""
    chosen = overriding(interceptors, method)
    if not chosen:
        return fn
    if method == "handle_query":
        return partial(_answer, chosen, name, fn)

    async def handle(*arguments: Any) -> Any:
        async def innermost(call: HandleMessageCall) -> Any:
            result = fn(*call.arguments)
            return await result if inspect.isawaitable(result) else result

        return await around(chosen, method, innermost)(HandleMessageCall(name, arguments))

    return handle


def _answer(
    interceptors: Sequence[WorkflowInterceptor],
    name: str,
    fn: Callable[..., Any],
    *arguments: Any,
) -> Any:
    def innermost(call: HandleMessageCall) -> Any:
        return fn(*call.arguments)

    proceed: Callable[[HandleMessageCall], Any] = innermost
    for each in reversed(interceptors):
        proceed = partial(each.handle_query, proceed=proceed)
    return proceed(HandleMessageCall(name, arguments))


class InterceptedRuntime:
    """The verbs of a run, of which the interceptors see activities and children first."""

    def __init__(self, instance: Instance, interceptors: Sequence[WorkflowInterceptor]) -> None:
        self._instance = instance
        self._interceptors = tuple(interceptors)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    @property
    def children(self) -> _InterceptedChildren:
        """The run's children, and its messages to other runs."""
        return _InterceptedChildren(self._instance.children, self._interceptors)

    def call_activity(
        self, reference: ActivityReference, arguments: tuple[Any, ...], options: ActivityOptions
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, schedules at the first step."""
        call = self._scheduled(reference, arguments, options)
        return self._instance.call_activity(reference, call.arguments, _options_of(call))

    def start_activity(
        self, reference: ActivityReference, arguments: tuple[Any, ...], options: ActivityOptions
    ) -> ActivityHandle[Any]:
        """Schedules now."""
        call = self._scheduled(reference, arguments, options)
        return self._instance.start_activity(reference, call.arguments, _options_of(call))

    def _scheduled(
        self, reference: ActivityReference, arguments: tuple[Any, ...], options: ActivityOptions
    ) -> ScheduleActivityCall:
        headers, options = options.headers or {}, _without_headers(options)
        call = ScheduleActivityCall(reference.name, reference.service, arguments, headers, options)
        for each in self._interceptors:
            call = each.schedule_activity(call)
        return call


class _InterceptedChildren:
    def __init__(self, children: Children, interceptors: Sequence[WorkflowInterceptor]) -> None:
        self._children = children
        self._interceptors = interceptors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._children, name)

    def execute(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, starts at the first step, gives the result."""
        return self._children.execute(*self._started(reference, arguments, options))

    def start(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, starts at the first step, gives a handle of what is begun."""
        return self._children.start(*self._started(reference, arguments, options))

    def _started(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> tuple[ChildReference[Any], tuple[Any, ...], ChildOptions]:
        plain = replace(options, headers={})
        call = StartChildWorkflowCall(reference.name, arguments, options.headers, plain)
        for each in self._interceptors:
            call = each.start_child_workflow(call)
        headers = {**call.options.headers, **call.headers}
        return reference, call.arguments, replace(call.options, headers=headers)


def _without_headers(options: ActivityOptions) -> ActivityOptions:
    # Headers have one home in a call; plans are found by the options, so these stay if they can.
    return options if options.headers is None else replace(options, headers=None)


def _options_of(call: ScheduleActivityCall) -> ActivityOptions:
    headers = {**(call.options.headers or {}), **call.headers}
    return replace(call.options, headers=headers) if headers else call.options


def overriding(
    interceptors: Sequence[WorkflowInterceptor], method: str
) -> tuple[WorkflowInterceptor, ...]:
    """Those that have such a method of their own."""
    plain = getattr(WorkflowInterceptor, method)
    return tuple(each for each in interceptors if getattr(type(each), method) is not plain)
