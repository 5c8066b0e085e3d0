"""Heartbeats, cancels and deadlines across the bridge."""

from __future__ import annotations

from perdure.errors import TimeoutError, TimeoutKind
from tests.conformance.service import call_and_cancel, gather
from tests.conformance.stand import Stand


def test_heartbeat_details_survive_a_retry(stand: Stand) -> None:
    handle = stand.start_call("heartbeat", 6, 4, heartbeat_timeout_ms=5000)
    assert stand.result(handle) == {"first": 4, "count": 6}
    failed = stand.events(handle, "activity_attempt_failed")
    assert [each["event"]["attempt"] for each in failed] == [1]
    assert failed[0]["event"]["failure"]["message"] == "failed at 4"
    assert stand.attempts(handle) == 2


def test_a_cancel_reaches_the_handler_and_its_details_are_recorded(stand: Stand) -> None:
    handle = stand.start(call_and_cancel, "wait_for_cancel", {"left": [1, b"\xff"]}, 100)
    assert stand.result(handle) == "cancelled"
    cancelled = stand.events(handle, "activity_cancelled")
    assert len(cancelled) == 1
    details = cancelled[0]["event"]["details"]
    assert details is not None
    assert stand.events(handle, "activity_completed") == []


def test_a_handler_may_finish_in_spite_of_a_cancel(stand: Stand) -> None:
    handle = stand.start(call_and_cancel, "ignore_cancel", 400, 50)
    assert stand.result(handle) == "result {'cancelled': True}"
    assert len(stand.events(handle, "activity_completed")) == 1


def test_a_handler_that_sleeps_hears_of_its_deadline(stand: Stand) -> None:
    handle = stand.start_call("sleep", 60_000, start_to_close_timeout_ms=300, maximum_attempts=1)
    failure = stand.cause(handle)
    if isinstance(failure, TimeoutError):
        assert failure.kind is TimeoutKind.START_TO_CLOSE
    else:
        # The worker's own clock may come first.
        assert getattr(failure, "type", "") == "DeadlineExceeded"
    assert stand.attempts(handle) == 1
    assert stand.call("echo", 1) == 1


def test_a_silent_handler_misses_its_heartbeat(stand: Stand) -> None:
    handle = stand.start_call("ignore_cancel", 1500, heartbeat_timeout_ms=200, maximum_attempts=1)
    failure = stand.cause(handle)
    assert isinstance(failure, TimeoutError)
    assert failure.kind is TimeoutKind.HEARTBEAT


def test_many_at_once_each_get_their_own_answer(stand: Stand) -> None:
    count = 300
    handle = stand.start(gather, "echo", [[index] for index in range(count)])
    assert stand.result(handle) == list(range(count))
    completed = stand.events(handle, "activity_completed")
    assert len(completed) == count
    assert {each["event"]["attempt"] for each in completed} == {1}
    assert stand.events(handle, "activity_attempt_failed") == []
