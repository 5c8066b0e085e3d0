"""Failures as recorded, and the exceptions they are raised as again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from perdure.convert import exception_of, failure_of
from perdure.errors import (
    ActivityError,
    ApplicationError,
    CancelledFailure,
    FailureError,
    RetryState,
    TerminatedError,
    TimeoutError,
    TimeoutKind,
)


class CardDeclined(ApplicationError):
    limit: int


def _chain(error: BaseException) -> list[str]:
    names: list[str] = []
    current: BaseException | None = error
    while current is not None:
        names.append(f"{type(current).__name__}: {current}")
        current = current.__cause__
    return names


def _raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_application_errors_keep_type_details_delay_and_cause() -> None:
    original = _raised(
        ApplicationError(
            "no tea",
            "green",
            {"left": 0},
            type="NoTea",
            non_retryable=True,
            next_retry_delay=timedelta(seconds=1.5),
        ),
        ValueError("the pot is empty"),
    )
    back = exception_of(failure_of(original))
    assert isinstance(back, ApplicationError)
    assert (back.message, back.type, list(back.details)) == (
        "no tea",
        "NoTea",
        ["green", {"left": 0}],
    )
    assert (back.non_retryable, back.next_retry_delay) == (True, timedelta(seconds=1.5))
    assert "_raised" in back.stack
    assert isinstance(back.cause, ApplicationError)
    assert (back.cause.type, back.cause.message) == ("ValueError", "the pot is empty")


def test_an_activity_error_keeps_its_call_and_its_cause() -> None:
    original = ActivityError(
        "charge failed",
        activity="charge",
        service="billing",
        attempt=3,
        retry_state=RetryState.MAXIMUM_ATTEMPTS_REACHED,
    )
    original.__cause__ = TimeoutError(
        "too slow", kind=TimeoutKind.HEARTBEAT, last_heartbeat_details=7
    )
    back = exception_of(failure_of(original))
    assert isinstance(back, ActivityError)
    assert (back.activity, back.service, back.attempt) == ("charge", "billing", 3)
    assert back.retry_state is RetryState.MAXIMUM_ATTEMPTS_REACHED
    assert isinstance(back.cause, TimeoutError)
    assert (back.cause.kind, back.cause.last_heartbeat_details) == (TimeoutKind.HEARTBEAT, 7)


@pytest.mark.parametrize("error", [CancelledFailure("enough", 1, "b"), TerminatedError("gone")])
def test_other_failures_come_back_as_their_class(error: FailureError) -> None:
    back = exception_of(failure_of(error))
    assert type(back) is type(error)
    assert back.message == error.message


def test_a_declared_error_is_raised_as_its_own_class_with_its_fields() -> None:
    failed = ActivityError(
        "charge failed", activity="charge", attempt=1, retry_state=RetryState.NON_RETRYABLE
    )
    failed.__cause__ = ApplicationError("over the limit", {"limit": 5}, type="CardDeclined")
    back = exception_of(failure_of(failed), [CardDeclined])
    assert isinstance(back, CardDeclined)
    assert back.limit == 5
    undeclared = exception_of(failure_of(failed), [])
    assert isinstance(undeclared, ActivityError)


def test_long_and_looping_cause_chains_end() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert len(_chain(exception_of(failure_of(first)))) == 21


def test_an_exception_group_shows_its_first_error_as_the_cause() -> None:
    group = ExceptionGroup("two", [ApplicationError("first"), ApplicationError("second")])
    back = exception_of(failure_of(group))
    assert "two" in back.message
    assert isinstance(back.cause, ApplicationError)
    assert back.cause.message == "first"


def test_details_that_cannot_travel_are_kept_as_text() -> None:
    back = exception_of(failure_of(ApplicationError("x", object)))
    assert isinstance(back, ApplicationError)
    assert back.details[0] == repr(object)
