"""Recorded failures to exceptions, and back."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from perdure._core import Failure, decode, encode
from perdure.convert._shapes import shape_of
from perdure.errors import (
    ActivityError,
    ApplicationError,
    CancelledFailure,
    ChildWorkflowError,
    EncodeError,
    FailureError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutKind,
)
from perdure.spans import microseconds

__all__ = ["exception_of", "failure_fields", "failure_from_fields", "failure_of"]

_MAXIMUM_CAUSES = 20
"""Causes kept of one error: a chain longer than that is a loop, or nobody reads it."""

_MAXIMUM_SHOWN = 10
"""Errors of a group that its text names."""


def failure_of(error: BaseException) -> Failure:
    """What is recorded of an exception: its class, text, details, stack and causes."""
    return _failure_of(error, _MAXIMUM_CAUSES)


def _failure_of(error: BaseException, causes_left: int) -> Failure:
    cause = _cause_of(error, causes_left)
    match error:
        case ActivityError():
            return Failure.activity(
                error.message,
                activity=error.activity,
                service=error.service,
                attempt=error.attempt,
                retry_state=error.retry_state.value,
                cause=cause,
            )
        case ChildWorkflowError():
            return Failure.child_workflow(
                error.message,
                workflow_type=error.workflow_type,
                workflow_id=error.workflow_id,
                run_id=error.run_id,
                cause=cause,
            )
        case TimeoutError():
            return Failure.timeout(
                error.message,
                kind=error.kind.value,
                last_heartbeat_details=_detail(error.last_heartbeat_details),
                cause=cause,
            )
        case CancelledFailure():
            return Failure.cancelled(error.message, details=_details(error.details), cause=cause)
        case TerminatedError():
            return Failure.terminated(error.message, cause=cause)
        case ApplicationError():
            return Failure.application(
                error.message,
                type_name=error.type,
                stack=_stack_of(error),
                details=_details(error.details),
                non_retryable=error.non_retryable,
                next_retry_delay_us=_microseconds(error.next_retry_delay),
                cause=cause,
            )
        case _:
            return Failure.application(
                _text_of(error), type_name=type(error).__name__, stack=_stack_of(error), cause=cause
            )


def exception_of(failure: Failure, declared: Sequence[type[ApplicationError]] = ()) -> FailureError:
    """The exception that a recorded failure is raised as.

    Args:
        failure: What was recorded.
        declared: Errors that the activity declares: they are raised as their own classes, in
            place of the `ActivityError` around them.
    """
    if failure.kind == "activity" and failure.cause is not None and declared:
        for error_class in declared:
            if failure.cause.type_name == error_class.__name__:
                return _with_cause(_declared(error_class, failure.cause), failure.cause.cause)
    return _with_cause(_plain(failure), failure.cause)


def _with_cause(error: FailureError, cause: Failure | None) -> FailureError:
    error.__cause__ = exception_of(cause) if cause is not None else None
    return error


def _plain(failure: Failure) -> FailureError:
    match failure.kind:
        case "activity" if failure.activity_call is not None:
            activity, service, attempt, retry_state = failure.activity_call
            return ActivityError(
                failure.message,
                activity=activity,
                service=service,
                attempt=attempt,
                retry_state=RetryState(retry_state),
            )
        case "child_workflow" if failure.child_run is not None:
            workflow_type, workflow_id, run_id = failure.child_run
            return ChildWorkflowError(
                failure.message,
                workflow_type=workflow_type,
                workflow_id=workflow_id,
                run_id=run_id,
            )
        case "timeout":
            heartbeat = failure.details
            return TimeoutError(
                failure.message,
                kind=TimeoutKind(failure.timeout_kind),
                last_heartbeat_details=None
                if heartbeat is None
                else decode(heartbeat, shape_of(Any)),
            )
        case "cancelled":
            return CancelledFailure(failure.message, *_values(failure.details))
        case "terminated":
            return TerminatedError(failure.message)
        case "application":
            return ApplicationError(
                failure.message,
                *_values(failure.details),
                type=failure.type_name,
                non_retryable=failure.non_retryable,
                next_retry_delay=_delay(failure),
                stack=failure.stack,
            )
        case other:
            return ApplicationError(failure.message, type=other, stack=failure.stack)


def _declared(error_class: type[ApplicationError], failure: Failure) -> ApplicationError:
    """An error of a declared class, made without calling its own `__init__`."""
    error = error_class.__new__(error_class)
    ApplicationError.__init__(
        error,
        failure.message,
        *_values(failure.details),
        type=failure.type_name,
        non_retryable=failure.non_retryable,
        next_retry_delay=_delay(failure),
        stack=failure.stack,
    )
    details = error.details
    if details and isinstance(details[0], dict):
        # By convention the first detail of a declared error is a map of its fields.
        for name in getattr(error_class, "__annotations__", {}):
            if name in details[0]:
                setattr(error, name, details[0][name])
    return error


def _cause_of(error: BaseException, causes_left: int) -> Failure | None:
    if causes_left == 0:
        return None
    if isinstance(error, BaseExceptionGroup):
        # A failure has one cause: the first of the group. Its own text has them all.
        group = cast("BaseExceptionGroup[BaseException]", error)
        return _failure_of(group.exceptions[0], causes_left - 1)
    cause = error.__cause__
    if cause is None and not error.__suppress_context__:
        cause = error.__context__
    return _failure_of(cause, causes_left - 1) if cause is not None else None


def _text_of(error: BaseException) -> str:
    """What an exception says; a group says what each of its errors does."""
    if not isinstance(error, BaseExceptionGroup):
        return str(error)
    group = cast("BaseExceptionGroup[BaseException]", error)
    shown = group.exceptions[:_MAXIMUM_SHOWN]
    texts = [f"{type(each).__name__}: {_text_of(each)}" for each in shown]
    if len(shown) < len(group.exceptions):
        texts.append(f"and {len(group.exceptions) - len(shown)} more")
    return f"{group}: {'; '.join(texts)}"


def _stack_of(error: BaseException) -> str:
    if isinstance(error, FailureError) and error.stack:
        return error.stack
    return "".join(traceback.format_tb(error.__traceback__))


def _details(values: Sequence[Any]) -> bytes | None:
    """Encoded details; those that cannot travel are sent as their text."""
    if not values or all(value is None for value in values):
        return None
    try:
        return encode(list(values))
    except EncodeError:
        return encode([repr(value) for value in values])


def _detail(value: Any) -> bytes | None:
    """What a worker told with its heartbeat is one value, not a list."""
    if value is None:
        return None
    try:
        return encode(value)
    except EncodeError:
        return encode(repr(value))


def _values(data: bytes | None) -> list[Any]:
    if data is None:
        return []
    values = decode(data, shape_of(list[Any]))
    return list(values)


def _delay(failure: Failure) -> timedelta | None:
    delay = failure.next_retry_delay_us
    return timedelta(microseconds=delay) if delay is not None else None


def _microseconds(delay: timedelta | None) -> int | None:
    return None if delay is None else max(0, microseconds(delay))


def failure_fields(failure: Failure) -> dict[str, Any]:
    """A failure as plain values, for another process."""
    cause = failure.cause
    return {
        "kind": failure.kind,
        "message": failure.message,
        "stack": failure.stack,
        "type_name": failure.type_name,
        "details": failure.details,
        "non_retryable": failure.non_retryable,
        "next_retry_delay_us": failure.next_retry_delay_us,
        "timeout_kind": failure.timeout_kind,
        "activity_call": None if failure.activity_call is None else list(failure.activity_call),
        "child_run": None if failure.child_run is None else list(failure.child_run),
        "cause": None if cause is None else failure_fields(cause),
    }


def failure_from_fields(fields: dict[str, Any]) -> Failure:
    """The failure that `failure_fields` wrote out."""
    message, details = fields["message"], fields["details"]
    cause = None if fields["cause"] is None else failure_from_fields(fields["cause"])
    match fields["kind"]:
        case "activity":
            activity, service, attempt, retry_state = fields["activity_call"]
            return Failure.activity(
                message,
                activity=activity,
                service=service,
                attempt=attempt,
                retry_state=retry_state,
                cause=cause,
            )
        case "child_workflow":
            workflow_type, workflow_id, run_id = fields["child_run"]
            return Failure.child_workflow(
                message,
                workflow_type=workflow_type,
                workflow_id=workflow_id,
                run_id=run_id,
                cause=cause,
            )
        case "timeout":
            return Failure.timeout(
                message,
                kind=fields["timeout_kind"],
                last_heartbeat_details=details,
                cause=cause,
            )
        case "cancelled":
            return Failure.cancelled(message, details=details, cause=cause)
        case "terminated":
            return Failure.terminated(message, cause=cause)
        case kind:
            return Failure.application(
                message,
                type_name=fields["type_name"] or kind,
                stack=fields["stack"],
                details=details,
                non_retryable=fields["non_retryable"],
                next_retry_delay_us=fields["next_retry_delay_us"],
                cause=cause,
            )
