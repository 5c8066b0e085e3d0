"""O: secrets travel by name; what an activity reveals is kept out of all that it gives back."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, RetryPolicy, Secret, Worker, activity, workflow
from perdure.errors import (
    ActivityError,
    ApplicationError,
    NondeterminismError,
    WorkflowFailureError,
    WorkflowParkedError,
)
from perdure.testing import ActivityEnvironment
from tests.semantics.ways import three_ways

THIS = sys.modules[__name__]
VALUE = "sk_live_51Hx'ü\"ZZq"
logger = logging.getLogger("tests.secrets")


@activity.defn
async def fingerprint(key: Secret[str], text: str) -> str:
    logger.warning("signing %s with %s", text, key.reveal())
    return hashlib.sha256(f"{key.reveal()}{text}".encode()).hexdigest()


@activity.defn
def in_a_thread(key: Secret[str]) -> int:
    logger.warning("in a thread: %r", key.reveal())
    return len(key.reveal())


@activity.defn(
    retry_policy=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=1))
)
async def leaks(key: Secret[str], how: str) -> Any:
    value = key.reveal()
    match how:
        case "result":
            return {"headers": [f"Bearer {value}"]}
        case "progress":
            activity.heartbeat([value])
            return "told"
        case "cause":
            try:
                raise KeyError(value)
            except KeyError as error:
                raise RuntimeError("wrapped") from error
        case "extra":
            shown = [value, {"key": value}, RuntimeError(value)]
            logger.info("sent", extra={"key": value, "shown": shown, "fault": ValueError(value)})
            logger.info("sent%.0s", value)
            return "logged"
        case "log":
            try:
                raise ValueError(f"bad key {value}")
            except ValueError:
                logger.exception("it failed")
            return "logged"
        case _:
            raise ApplicationError(f"{value} was refused", {"sent": [value, value.encode()]})


@workflow.defn
async def signs(key: Secret[str]) -> list[Any]:
    signed = await fingerprint(key, "order-1")
    return [signed, await in_a_thread(key), key]


@workflow.defn
async def leak(how: str) -> Any:
    return await leaks(Secret("stripe_key"), how)


@workflow.defn
async def peeks() -> str:
    return Secret[str]("stripe_key").reveal()


@workflow.defn
async def waits() -> int:
    return await in_a_thread(Secret("later"))


WORKFLOWS: Sequence[Any] = [signs, leak, peeks, waits]
ACTIVITIES: Sequence[Any] = [fingerprint, in_a_thread, leaks]


def _stored(path: Path) -> bytes:
    files = [each for each in path.parent.iterdir() if each.is_file()]
    return b"".join(each.read_bytes() for each in files)


async def _signs(client: Client) -> Any:
    result = await client.execute_workflow(signs, Secret("STRIPE_KEY"), id="signs")
    stored = _stored(client.path)
    assert VALUE.encode() not in stored
    assert b"STRIPE_KEY" in stored
    return result


def test_o1_a_secret_travels_by_name_three_ways(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the environment by default; neither the store nor the log has the value."""
    monkeypatch.setenv("STRIPE_KEY", VALUE)
    signed, length, key = three_ways(_signs, THIS, activities=ACTIVITIES)
    assert signed == hashlib.sha256(f"{VALUE}order-1".encode()).hexdigest()
    assert length == len(VALUE)
    assert key == {"name": "STRIPE_KEY"}
    assert VALUE not in caplog.text
    assert "signing order-1 with [secret STRIPE_KEY]" in caplog.text
    assert VALUE not in repr(Secret[str]("STRIPE_KEY"))


async def _leak(path: Path, how: str) -> tuple[Any, bytes]:
    client = await Client.connect(f"file:{path}")
    secrets = {"stripe_key": VALUE}
    async with Worker(client, workflows=WORKFLOWS, activities=ACTIVITIES, secrets=secrets):
        try:
            outcome: Any = await client.execute_workflow(leak, how, id=how)
        except WorkflowFailureError as error:
            outcome = error.__cause__
    return outcome, _stored(path)


@pytest.mark.parametrize("how", ["result", "progress"])
def test_o2_a_result_or_progress_with_the_value_is_refused_at_once(
    tmp_path: Path, how: str
) -> None:
    """The error names the secret, never the value, and no attempt follows."""
    outcome, stored = asyncio.run(_leak(tmp_path / "app.db", how))
    assert isinstance(outcome, ActivityError)
    cause = outcome.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, outcome.attempt) == ("SecretLeak", 1)
    assert "'stripe_key'" in str(cause)
    assert VALUE.encode() not in stored


@pytest.mark.parametrize("how", ["error", "cause"])
def test_o3_errors_have_the_name_in_place_of_the_value(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Message, details, stack and causes, in the history and in the log."""
    outcome, stored = asyncio.run(_leak(tmp_path / "app.db", how))
    assert isinstance(outcome, ActivityError)
    assert b"[secret stripe_key]" in stored
    assert VALUE.encode() not in stored
    assert repr(VALUE)[1:-1].encode() not in stored
    assert VALUE not in caplog.text
    shown = subprocess.run(
        [sys.executable, "-m", "perdure.cli", "workflow", "show", how, "-o", "json"],
        env=os.environ | {"PERDURE_STORE": f"file:{tmp_path / 'app.db'}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "[secret stripe_key]" in shown.stdout
    assert VALUE not in shown.stdout + shown.stderr


def test_o4_a_traceback_in_the_log_has_no_value(tmp_path: Path) -> None:
    """As a handler formats it, not only as the record has it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    logger.addHandler(handler)
    try:
        outcome, _ = asyncio.run(_leak(tmp_path / "app.db", "log"))
    finally:
        logger.removeHandler(handler)
    assert outcome == "logged"
    assert "ValueError: bad key [secret stripe_key]" in written.getvalue()
    assert VALUE not in written.getvalue()


class Keeping(logging.Handler):
    """Keeps all that is attached to a line."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(repr(vars(record)))


def test_o4_what_is_attached_to_a_line_has_no_value(tmp_path: Path) -> None:
    """Also where the application makes the records of the log itself."""
    handler = Keeping()
    factory, level = logging.getLogRecordFactory(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        asyncio.run(_leak(tmp_path / "first.db", "extra"))
        logging.setLogRecordFactory(logging.LogRecord)
        asyncio.run(_leak(tmp_path / "second.db", "extra"))
    finally:
        logging.setLogRecordFactory(factory)
        logger.setLevel(level)
        logger.removeHandler(handler)
    assert len(handler.kept) == 4
    for line in handler.kept:
        assert "[secret stripe_key]" in line
        assert VALUE not in line
        assert repr(VALUE)[1:-1] not in line


async def _parked(path: Path) -> str:
    client = await Client.connect(f"file:{path}")
    async with Worker(client, workflows=WORKFLOWS, secrets={"stripe_key": VALUE}):
        handle = await client.start_workflow(peeks, id="peeks")
        with pytest.raises(WorkflowParkedError) as caught:
            await handle.result()
    return caught.value.reason


def test_o5_workflow_code_must_not_know_it(tmp_path: Path) -> None:
    """The run is parked with what to do."""
    reason = asyncio.run(_parked(tmp_path / "app.db"))
    assert NondeterminismError.__name__ in reason
    assert "pass the Secret to an activity" in reason


async def _waits(path: Path) -> int:
    client = await Client.connect(f"file:{path}")
    secrets: dict[str, str] = {}

    class Later:
        """Has the secret from the second time on."""

        def get(self, name: str, /) -> str | None:
            found = secrets.get(name)
            secrets["later"] = VALUE
            return found

    async with Worker(client, workflows=WORKFLOWS, activities=ACTIVITIES, secrets=Later()):
        return await client.execute_workflow(waits, id="waits")


def test_o6_a_missing_secret_is_asked_for_again(tmp_path: Path) -> None:
    """An operator may add it: the attempt is made again."""
    assert asyncio.run(_waits(tmp_path / "app.db")) == len(VALUE)


def test_o7_tests_of_an_activity_give_it_secrets() -> None:
    """`ActivityEnvironment` takes a dict; outside of an activity there is none."""
    environment = ActivityEnvironment(secrets={"key": VALUE})
    assert asyncio.run(environment.run(in_a_thread, Secret("key"))) == len(VALUE)
    with pytest.raises(RuntimeError, match="inside an activity"):
        Secret[str]("key").reveal()


@pytest.mark.parametrize("how", ["result", "progress"])
def test_o7_the_environment_refuses_what_a_worker_refuses(how: str) -> None:
    environment = ActivityEnvironment(secrets={"key": VALUE})
    with pytest.raises(ApplicationError) as caught:
        asyncio.run(environment.run(leaks, Secret("key"), how))
    assert caught.value.type == "SecretLeak"
    assert environment.heartbeats == []


@pytest.mark.parametrize("how", ["error", "cause"])
def test_o7_errors_out_of_the_environment_have_the_name(how: str) -> None:
    environment = ActivityEnvironment(secrets={"key": VALUE})
    with pytest.raises((ApplicationError, RuntimeError)) as caught:
        asyncio.run(environment.run(leaks, Secret("key"), how))
    error = caught.value
    shown = repr([error, vars(error), error.__cause__])
    assert "[secret key]" in shown
    assert VALUE not in shown
    assert repr(VALUE)[1:-1] not in shown


def test_o7_an_error_that_cannot_be_changed_is_told_as_another() -> None:
    @activity.defn
    async def fails(key: Secret[str]) -> None:
        raise FileNotFoundError(2, "no such file", key.reveal())

    environment = ActivityEnvironment(secrets={"key": VALUE})
    with pytest.raises(ApplicationError, match=r"\[secret key\]") as caught:
        asyncio.run(environment.run(fails, Secret("key")))
    assert caught.value.type == "FileNotFoundError"
    assert VALUE not in repr(caught.value)
