"""Local activities and steps: code that runs beside the workflow, in the same process."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar, Unpack, cast, overload

from perdure import _runtime
from perdure.activity._definition import ActivityDefinition, reference_of
from perdure.activity._options import ActivityOptions, LocalActivityOptionsFields
from perdure.activity._reference import ActivityReference
from perdure.workflow._handle import ActivityHandle

__all__ = ["execute_local_activity", "start_local_activity", "step"]

Result = TypeVar("Result")

_LAMBDA = "<lambda>"
_options_by_default: dict[tuple[ActivityOptions, bool], ActivityOptions] = {}
"""What calls without options of their own use: few, since they are those of definitions."""


@overload
def execute_local_activity(
    activity: Callable[..., Coroutine[Any, Any, Result]],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_local_activity(
    activity: Callable[..., Result],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
def execute_local_activity(
    activity: Callable[..., Any],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Any]:
    """Runs an activity beside the workflow, in this process, and gives its result.

    It waits in no line and counts towards no limit. It may begin before what led to it is durable,
    so that many short ones in a row cost one write together; a crash has those of the last 10 ms
    run again, from the first of them on. Use it for what is short and may be repeated.

    Args:
        activity: An activity, or any function; a `def` runs in a thread.
        *arguments: Its arguments.
        args: Further arguments; none by default.
        **options: `start_to_close_timeout` (1 h by default), `schedule_to_close_timeout` (none),
            `retry_policy` (for ever, with exponential backoff), `local_retry_threshold` (1 min: a
            shorter wait before the next attempt leaves no record), `cancellation_type`
            (`TRY_CANCEL`), `summary` (none). Those of the activity itself come before these
            defaults.

    Raises:
        ActivityError: It failed for good.
        TypeError: It cannot be an activity, or belongs to a service.
        ValueError: An option is out of its range.
        asyncio.CancelledError: This workflow cancelled it.
    """
    runtime = _runtime.require("workflow.execute_local_activity")
    reference = _reference(activity)
    chosen = _chosen(reference, options, recorded_first=False)
    return runtime.call_activity(reference, (*arguments, *args), chosen)


@overload
def start_local_activity(
    activity: Callable[..., Coroutine[Any, Any, Result]],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> ActivityHandle[Result]: ...
@overload
def start_local_activity(
    activity: Callable[..., Result],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> ActivityHandle[Result]: ...
def start_local_activity(
    activity: Callable[..., Any],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[LocalActivityOptionsFields],
) -> ActivityHandle[Any]:
    """Schedules a local activity at once, and gives a handle to await or cancel.

    Args and errors as `execute_local_activity`.
    """
    runtime = _runtime.require("workflow.start_local_activity")
    reference = _reference(activity)
    chosen = _chosen(reference, options, recorded_first=False)
    return runtime.start_activity(reference, (*arguments, *args), chosen)


@overload
def step(
    fn: Callable[..., Coroutine[Any, Any, Result]],
    /,
    *arguments: Any,
    name: str | None = None,
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def step(
    fn: Callable[..., Result],
    /,
    *arguments: Any,
    name: str | None = None,
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
def step(
    fn: Callable[..., Any],
    /,
    *arguments: Any,
    name: str | None = None,
    **options: Unpack[LocalActivityOptionsFields],
) -> Coroutine[Any, Any, Any]:
    """Runs a function, or a lambda, beside the workflow and records what it gives.

    `rate = await workflow.step(lambda: fetch_rate("EUR"), name="rate")`. It begins only when all
    that led to it is durable; what it gives is recorded before the workflow acts on it, and is
    never computed again once it is. What it sets outside of itself is not recorded.

    Args:
        fn: The function; a `def` runs in a thread. It need not be an activity.
        *arguments: Its arguments, recorded with it; of what a lambda closes over nothing is.
        name: What the history calls it; the function's name by default, `step` for a lambda.
        **options: As in `execute_local_activity`.

    Raises:
        ActivityError: It failed for good.
        TypeError: It cannot be a step: a generator, or one with keyword-only parameters.
        ValueError: An option is out of its range.
        asyncio.CancelledError: This workflow cancelled it.
    """
    runtime = _runtime.require("workflow.step")
    reference = _step_of(fn, name)
    return runtime.call_activity(
        reference, arguments, _chosen(reference, options, recorded_first=True)
    )


def _reference(activity: Callable[..., Any]) -> ActivityReference:
    if not isinstance(activity, ActivityDefinition):
        return _step_of(activity, None)
    definition = cast("ActivityDefinition[..., Any]", activity)
    if definition.reference.service is not None:
        raise TypeError(f"{activity!r} belongs to a service: it cannot run in this process")
    return replace(definition.reference, definition=definition)


def _step_of(fn: Callable[..., Any], name: str | None) -> ActivityReference:
    """A step is made anew at each call: what a lambda closes over is another each time."""
    function = fn.fn if isinstance(fn, ActivityDefinition) else fn
    if not callable(function):
        raise TypeError(f"{fn!r} is no function: a step is what runs later, not its result")
    if isinstance(function, functools.partial):
        function = _named(cast("functools.partial[Any]", function))
    called = getattr(function, "__name__", "step")
    title = name or ("step" if called == _LAMBDA else called)
    reference = reference_of(function, name=title, is_step=True)
    return replace(reference, definition=ActivityDefinition(function, reference))


def _named(function: functools.partial[Any]) -> Callable[..., Any]:
    """A function of its own in the place of a `partial`, which has no name and no types."""

    async def call_async(*arguments: Any) -> Any:
        return await function(*arguments)

    def call(*arguments: Any) -> Any:
        return function(*arguments)

    named: Callable[..., Any] = call_async if inspect.iscoroutinefunction(function.func) else call
    named.__name__ = getattr(function.func, "__name__", "step")
    return named


def _chosen(
    reference: ActivityReference, options: LocalActivityOptionsFields, *, recorded_first: bool
) -> ActivityOptions:
    if options:
        return reference.options.run_locally(options, recorded_first=recorded_first)
    own = reference.options
    try:
        known = _options_by_default.get((own, recorded_first))
    except TypeError:
        # A list somewhere in the options: right, only not worth remembering.
        return own.run_locally({}, recorded_first=recorded_first)
    if known is None:
        known = own.run_locally({}, recorded_first=recorded_first)
        _options_by_default[own, recorded_first] = known
    return known
