"""Errors of each language arrive typed, with their stack and causes, and retry as they ask."""

from __future__ import annotations

import math
from typing import Any

from perdure.errors import ApplicationError
from tests.conformance.service import catch_declared
from tests.conformance.stand import Stand


def test_a_declared_error_is_raised_as_its_own_class(stand: Stand) -> None:
    handle = stand.start(catch_declared, "no funds", [{"limit": 2**60}])
    caught = stand.result(handle)
    assert caught == {"message": "no funds", "limit": 2**60, "type": "CardDeclined"}
    assert stand.attempts(handle) == 1


def test_an_error_brings_type_message_details_and_stack(stand: Stand) -> None:
    details: list[Any] = [{"limit": 5}, None, b"\xff"]
    handle = stand.start_call("raise_error", "CardDeclined", "caf\u00e9", False, details)
    failure = stand.failure(handle)
    assert (failure.type, failure.message) == ("CardDeclined", "caf\u00e9")
    assert list(failure.details) == details
    assert failure.non_retryable
    assert "conformance" in failure.stack
    assert stand.attempts(handle) == 1


def test_nested_errors_arrive_as_a_chain_of_causes(stand: Stand) -> None:
    handle = stand.start_call("raise_nested", maximum_attempts=1)
    audit = stand.failure(handle)
    load = audit.cause
    assert isinstance(load, ApplicationError)
    parse = load.cause
    assert isinstance(parse, ApplicationError)
    assert [each.type for each in (audit, load, parse)] == [
        "AuditError",
        "LoadError",
        "ParseError",
    ]
    assert [each.message for each in (audit, load, parse)] == [
        "audit failed",
        "caf\u00e9.go",
        "unexpected '}'",
    ]
    assert audit.details[:2] == (2**60, None)
    assert math.isnan(audit.details[2])
    assert parse.details == ({"line": 12, "token": b"}"},)
    assert parse.non_retryable
    assert not audit.non_retryable
    assert "conformance" in audit.stack
    assert "conformance" in parse.stack
    assert parse.cause is None


def test_a_plain_error_is_retried_and_keeps_its_message(stand: Stand) -> None:
    handle = stand.start_call("raise_plain", maximum_attempts=3)
    failure = stand.failure(handle)
    assert failure.message == "print: out of paper"
    assert isinstance(failure.cause, ApplicationError)
    assert failure.cause.message == "out of paper"
    assert stand.attempts(handle) == 3


def test_a_panic_or_throw_is_one_failed_attempt_with_a_stack(stand: Stand) -> None:
    handle = stand.start_call("panic", "oh no", maximum_attempts=2)
    failure = stand.failure(handle)
    assert failure.message == "oh no"
    assert failure.type in {"Panic", "ParseError"}
    assert failure.stack
    assert stand.attempts(handle) == 2
    assert stand.call("echo", "alive") == "alive"


def test_retry_after_sets_the_next_delay(stand: Stand) -> None:
    handle = stand.start_call(
        "raise_error", "Later", "come back", True, [], 700, maximum_attempts=2
    )
    stand.failure(handle)
    failed = stand.events(handle, "activity_attempt_failed")
    assert len(failed) == 1
    waited_us = failed[0]["event"]["next_attempt_at_us"] - failed[0]["at_us"]
    assert 600_000 <= waited_us <= 800_000
    closed = stand.events(handle, "activity_failed")
    assert closed[0]["at_us"] >= failed[0]["event"]["next_attempt_at_us"]


def test_the_context_says_who_asks(stand: Stand) -> None:
    handle = stand.start_call("describe", 1, start_to_close_timeout_ms=60_000)
    described = stand.result(handle)
    run = handle.run_id.replace("-", "")
    assert described["run_id"] == run
    assert described["task"] == f"{run}.2.1"
    assert described["activity"] == "describe"
    assert described["attempt"] == 1
    assert described.get("last_failure") is None
    assert described["workflow_id"] == handle.id
    assert described["workflow_type"] == "call"
    assert described["namespace"] == stand.client.namespace
    assert described["idempotency_key"].startswith(f"{run}.2.")
    assert described["fencing_token"] >= 1
    span = described["deadline"] - described["scheduled_at"]
    assert 59 <= span.total_seconds() <= 65


def test_an_unknown_activity_waits_until_schedule_to_start(stand: Stand) -> None:
    handle = stand.start_call("no_such_activity", schedule_to_start_timeout_ms=700)
    cause = stand.cause(handle)
    assert getattr(cause, "kind", None) is not None, cause
    assert cause.kind.value == "schedule_to_start"
    assert stand.events(handle, "activity_attempt_failed") == []
