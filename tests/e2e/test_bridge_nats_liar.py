"""A worker over NATS that breaks the protocol: the right answer counts, and no other run minds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest

from perdure import workflow
from perdure.errors import ActivityError, ApplicationError, WorkflowFailureError
from perdure.retry import RetryPolicy
from tests.conformance.nats import NatsServer
from tests.conformance.stand import ROOT, Stand


@workflow.defn
async def ask(lie: str) -> Any:
    """Asks the liar once."""
    policy = RetryPolicy(maximum_attempts=2)
    return await workflow.execute_activity(lie, service="liar", retry_policy=policy)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Generator[Stand]:
    directory = tmp_path_factory.mktemp("liar")
    server = NatsServer(directory)
    liar = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.nats_liar", server.url, server.token],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    try:
        assert liar.stdout is not None
        assert liar.stdout.readline() == b"ready\n"
        stand = Stand(directory, server=server, workflows=[ask])
        yield stand
        stand.close()
    finally:
        liar.kill()
        liar.communicate()
        server.kill()


@pytest.mark.parametrize("lie", ["twice", "wrong_nonce", "other_tasks", "garbage", "late"])
def test_only_the_first_right_answer_counts(stand: Stand, lie: str) -> None:
    handle = stand.start(ask, lie)
    assert stand.result(handle) == "right"
    assert stand.attempts(handle) == 1
    assert stand.events(handle, "activity_attempt_failed") == []
    assert "forged" not in str(stand.history(handle)).lower()


@pytest.mark.parametrize("lie", ["garbage_result", "deep_result", "garbage_error"])
def test_an_answer_that_cannot_be_read_fails_its_own_activity_once(stand: Stand, lie: str) -> None:
    other = stand.start(ask, "late")
    handle = stand.start(ask, lie)
    with pytest.raises(WorkflowFailureError) as raised:
        stand.result(handle)
    failed = raised.value.cause
    assert isinstance(failed, ActivityError)
    assert isinstance(failed.cause, ApplicationError)
    assert failed.cause.type == "UnencodableResult"
    assert failed.cause.non_retryable
    assert stand.attempts(handle) == 1
    assert stand.result(other) == "right"


def test_a_busy_worker_is_asked_again_when_it_said(stand: Stand) -> None:
    handle = stand.start(ask, "busy")
    assert stand.result(handle) >= 1500
    assert stand.attempts(handle) == 1
    assert stand.events(handle, "activity_attempt_failed") == []
