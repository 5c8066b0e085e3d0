"""Headers reach activities in each language: a run's, and those of one call over them."""

from __future__ import annotations

from tests.conformance.service import call
from tests.conformance.stand import Stand

_TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_run_s_headers_and_a_trace_reach_the_activity(stand: Stand) -> None:
    headers = {"traceparent": _TRACE, "tenant": "caf\u00e9 & co", "user": "ada"}
    handle = stand.start(call, "describe", [], {}, headers=headers)
    assert stand.result(handle)["headers"] == headers


def test_a_call_s_own_headers_stand_over_the_run_s(stand: Stand) -> None:
    options = {"headers": {"user": "grace", "step": "7"}}
    handle = stand.start(call, "describe", [], options, headers={"user": "ada", "tenant": "b"})
    assert stand.result(handle)["headers"] == {"user": "grace", "step": "7", "tenant": "b"}
