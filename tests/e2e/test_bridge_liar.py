"""A worker over stdio that breaks the protocol: it is restarted, the run ends, once."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from perdure import workflow
from perdure.retry import RetryPolicy
from perdure.worker import StdioService
from tests.conformance.stand import Stand

LIAR = Path(__file__).with_name("liar.py")


@workflow.defn
async def ask(times: int) -> list[Any]:
    """Asks the liar, one question after another."""
    answers: list[Any] = []
    for _ in range(times):
        policy = RetryPolicy(maximum_attempts=5)
        answer = await workflow.execute_activity("ask", service="liar", retry_policy=policy)
        answers.append(answer)
    return answers


@contextmanager
def stand_with_liar(directory: Path, lie: str) -> Generator[Stand]:
    environment = {"LIAR_STATE": str(directory / "starts"), "LIAR_LIE": lie}
    service = StdioService("liar", [sys.executable, str(LIAR)], environment=environment)
    stand = Stand(directory, services=[service], workflows=[ask])
    try:
        yield stand
    finally:
        stand.close()


@pytest.mark.parametrize(
    "lie", ["garbage", "oversize", "empty_frame", "cut_short", "no_frame_key", "dies"]
)
def test_a_broken_stream_is_a_lost_worker_and_a_second_attempt(tmp_path: Path, lie: str) -> None:
    with stand_with_liar(tmp_path, lie) as stand:
        handle = stand.start(ask, 2)
        first, second = stand.result(handle)
        assert first == {"attempt": 2, "starts": 2}
        assert second == {"attempt": 1, "starts": 2}
        failed = stand.events(handle, "activity_attempt_failed")
        assert [each["event"]["failure"]["kind"]["sort"] for each in failed] == ["worker_lost"]
        assert len(stand.events(handle, "activity_completed")) == 2


@pytest.mark.parametrize("lie", ["newer", "other_service", "prints_first", "silent_exit"])
def test_a_worker_with_a_bad_hello_is_started_again(
    tmp_path: Path, lie: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with stand_with_liar(tmp_path, lie) as stand:
        handle = stand.start(ask, 1)
        assert stand.result(handle) == [{"attempt": 1, "starts": 2}]
        assert stand.events(handle, "activity_attempt_failed") == []
    said = capfd.readouterr().err
    expected = {
        "newer": "protocol 99",
        "other_service": "another",
        "prints_first": "a document of",
        "silent_exit": "before it said hello",
    }
    assert expected[lie] in said


@pytest.mark.parametrize("lie", ["twice", "wrong_nonce", "other_tasks", "unknown_frames"])
def test_only_the_first_right_answer_counts(tmp_path: Path, lie: str) -> None:
    with stand_with_liar(tmp_path, lie) as stand:
        handle = stand.start(ask, 3)
        assert stand.result(handle) == [{"attempt": 1, "starts": 1}] * 3
        completed = stand.events(handle, "activity_completed")
        assert len(completed) == 3
        assert stand.events(handle, "activity_attempt_failed") == []
        assert "forged" not in str(stand.history(handle))
        assert "second answer" not in str(stand.history(handle))


def test_a_busy_worker_uses_up_no_attempt(tmp_path: Path) -> None:
    with stand_with_liar(tmp_path, "busy") as stand:
        handle = stand.start(ask, 1)
        assert stand.result(handle) == [{"attempt": 1, "starts": 1}]
        assert stand.events(handle, "activity_attempt_failed") == []
