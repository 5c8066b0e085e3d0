"""The explicit verbs for activities. `await charge(order)` is the short form of the first."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, Unpack, overload

from perdure import _runtime
from perdure.activity._definition import ActivityDefinition
from perdure.activity._options import ActivityOptionsFields
from perdure.activity._reference import ActivityReference
from perdure.workflow._handle import ActivityHandle

__all__ = ["execute_activity", "start_activity"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Argument = TypeVar("Argument")


def _reference(
    activity: ActivityDefinition[..., Any] | Callable[..., Any] | str,
    service: str | None,
    result_type: Any,
) -> ActivityReference:
    if isinstance(activity, ActivityDefinition):
        return activity.reference
    if isinstance(activity, str):
        return ActivityReference(name=activity, service=service, result_type=result_type)
    raise TypeError(f"{activity!r} is no activity: decorate it with @activity.defn")


@overload
def execute_activity(
    activity: ActivityDefinition[[], Result], /, **options: Unpack[ActivityOptionsFields]
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_activity(
    activity: ActivityDefinition[Concatenate[Argument, ...], Result],
    argument: Argument,
    /,
    *,
    args: Sequence[Any] = (),
    **options: Unpack[ActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_activity(
    activity: ActivityDefinition[..., Result],
    /,
    *,
    args: Sequence[Any],
    **options: Unpack[ActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_activity(
    activity: str,
    /,
    *arguments: Any,
    result_type: type[Result],
    args: Sequence[Any] = (),
    service: str | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_activity(
    activity: str,
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    service: str | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> Coroutine[Any, Any, Any]: ...
def execute_activity(
    activity: Any,
    /,
    *arguments: Any,
    result_type: Any = Any,
    args: Sequence[Any] = (),
    service: str | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> Coroutine[Any, Any, Any]:
    """Runs an activity and gives its result.

    Args:
        activity: The activity, or its name.
        *arguments: Its arguments.
        result_type: With a name: what the result is decoded as; plain values by default.
        args: Further arguments, for activities with several; none by default.
        service: With a name: the service that hosts it; the run's own task queue by default.
        **options: As in `ActivityOptions`, over the activity's own defaults.

    Raises:
        ActivityError: It failed for good.
        asyncio.CancelledError: This workflow cancelled it.
    """
    runtime = _runtime.require("workflow.execute_activity")
    reference = _reference(activity, service, result_type)
    chosen = reference.options.with_fields(options)
    return runtime.call_activity(reference, (*arguments, *args), chosen)


def start_activity(
    activity: ActivityDefinition[..., Result] | str,
    /,
    *arguments: Any,
    result_type: Any = Any,
    args: Sequence[Any] = (),
    service: str | None = None,
    **options: Unpack[ActivityOptionsFields],
) -> ActivityHandle[Result]:
    """Schedules an activity at once, and gives a handle to await or cancel.

    Args and errors as `execute_activity`.
    """
    runtime = _runtime.require("workflow.start_activity")
    reference = _reference(activity, service, result_type)
    chosen = reference.options.with_fields(options)
    return runtime.start_activity(reference, (*arguments, *args), chosen)
