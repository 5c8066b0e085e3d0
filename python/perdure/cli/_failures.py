"""Why a run did not complete: for people line by line, for programs as fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perdure.cli._values import to_json
from perdure.errors import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    WorkflowFailureError,
    WorkflowParkedError,
)

__all__ = ["failure_fields", "failure_lines", "outcome_fields"]


def failure_lines(error: BaseException) -> Iterator[str]:
    """One line a failure, from the outermost to its first cause."""
    cause = error.__cause__
    first = str(error)
    # Each cause has a line of its own.
    yield first if cause is None else first.removesuffix(f": {cause}")
    while cause is not None:
        yield f"  because of {_name(cause)}: {cause}"
        cause = cause.__cause__


def failure_fields(error: BaseException) -> dict[str, Any]:
    """The failure and its causes."""
    fields: dict[str, Any] = {"type": _name(error), "message": str(error)}
    match error:
        case ApplicationError():
            fields["details"] = to_json(list(error.details))
            fields["non_retryable"] = error.non_retryable
        case ActivityError():
            fields["activity"] = error.activity
            fields["service"] = error.service
            fields["attempt"] = error.attempt
            fields["retry_state"] = error.retry_state.value
        case TimeoutError():
            fields["kind"] = error.kind.value
        case _:
            pass
    if isinstance(error, FailureError) and error.stack:
        fields["stack"] = error.stack
    if error.__cause__ is not None:
        fields["cause"] = failure_fields(error.__cause__)
    return fields


def outcome_fields(error: WorkflowFailureError | WorkflowParkedError) -> dict[str, Any]:
    """What a run that did not complete came to."""
    if isinstance(error, WorkflowParkedError):
        return {"status": "parked", "reason": error.reason, "traceback": error.traceback}
    cause = error.__cause__
    return {"status": error.status, "failure": None if cause is None else failure_fields(cause)}


def _name(error: BaseException) -> str:
    return error.type if isinstance(error, ApplicationError) else type(error).__name__
