"""The running attempt, as an activity's code reaches it; safe from any thread."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from perdure._core import call_of, decode, encode
from perdure.activity._context import Info
from perdure.convert import exception_of, failure_of, shape_of
from perdure.secrets import EnvironmentSecrets
from perdure.worker._revealed import Revealed

if TYPE_CHECKING:
    from perdure._core import ActivityTask, Failure
    from perdure.secrets import SecretProvider

__all__ = ["RunningActivity"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEARTBEAT_SECONDS_MAX = 1.0
"""The longest that heartbeats are held back."""


_heartbeats = threading.Lock()
"""Held for a few instructions: one of its own would cost every attempt more than all of them."""


class RunningActivity:
    """One attempt of a local activity."""

    # Most attempts are over before anybody asks for any of these: they begin on the class.
    _info: Info | None = None
    _cancelled = False
    _held_back: bytes | None = None
    _next_heartbeat = 0.0
    has_begun = False
    """Whether its own code may have run: a task that is cancelled before never tells."""
    is_interrupted = False
    """Whether it is cancelled only because its worker ends."""

    secrets: SecretProvider = EnvironmentSecrets()
    """Where the values of secrets come from."""
    revealed: Revealed | None = None
    """What the attempt knows of secrets; None while that is nothing."""

    def __init__(self, task: ActivityTask, *, is_async: bool) -> None:
        self.task = task
        self.is_async = is_async

    @property
    def info(self) -> Info:
        """What is known of the attempt; made when somebody asks."""
        if self._info is None:
            self._info = _info(self.task)
        return self._info

    def heartbeat(self, details: Any) -> None:
        """Sends the first at once, later ones held back; the newest details win."""
        revealed = self.revealed
        data = encode(details) if revealed is None else revealed.encode("progress", details)
        now = time.monotonic()
        with _heartbeats:
            if now < self._next_heartbeat:
                self._held_back = data
                return
            self._held_back = None
            self._next_heartbeat = now + self._interval_s()
        self.task.heartbeat(data)

    def flush_heartbeat(self) -> None:
        """Sends what is held back: before a failure, so that the next attempt sees it."""
        with _heartbeats:
            data, self._held_back = self._held_back, None
        if data is not None:
            self.task.heartbeat(data)

    def reveal(self, name: str) -> str | bytes:
        """The value of a secret, which is kept out of what the attempt gives back.

        Raises:
            SecretNotFoundError: The worker's provider has none of that name.
        """
        if self.revealed is None:
            self.revealed = Revealed(self.secrets)
        return self.revealed.reveal(name)

    def failure_of(self, error: BaseException) -> Failure:
        """What is recorded of an error of the attempt."""
        return failure_of(error) if self.revealed is None else self.revealed.failure_of(error)

    def is_cancelled(self) -> bool:
        """Whether cancellation was requested."""
        return self._cancelled

    def request_cancel(self) -> None:
        """Notes that cancellation was requested."""
        self._cancelled = True

    def _interval_s(self) -> float:
        """How long heartbeats are held back: three fit into a heartbeat timeout."""
        timeout_us = self.task.heartbeat_timeout_us
        timeout_s = _HEARTBEAT_SECONDS_MAX if timeout_us is None else timeout_us / 3e6
        return min(timeout_s, _HEARTBEAT_SECONDS_MAX)


def _info(task: ActivityTask) -> Info:
    namespace, workflow_id, workflow_type, run_id = task.asked_by
    idempotency_key, fencing_token = task.keys
    details = task.heartbeat_details
    failure = task.last_failure
    deadline_us = task.deadline_us
    timeout_us = task.heartbeat_timeout_us
    return Info(
        activity=task.activity,
        task_id=task.id,
        task_token=task.token,
        attempt=task.attempt,
        idempotency_key=idempotency_key,
        fencing_token=fencing_token,
        namespace=namespace,
        workflow_id=workflow_id,
        workflow_type=workflow_type,
        run_id=run_id,
        scheduled_time=_EPOCH + timedelta(microseconds=task.scheduled_at_us),
        deadline=None if deadline_us is None else _EPOCH + timedelta(microseconds=deadline_us),
        heartbeat_timeout=None if timeout_us is None else timedelta(microseconds=timeout_us),
        heartbeat_details=None if details is None else decode(details, shape_of(Any)),
        last_failure=None if failure is None else exception_of(failure),
        headers=dict(task.headers),
        is_local=call_of(task)[2],
    )
