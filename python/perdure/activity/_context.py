"""What an activity can know of itself while it runs."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol

__all__ = [
    "ActivityContext",
    "CompleteAsync",
    "Info",
    "heartbeat",
    "info",
    "is_cancelled",
    "is_running",
    "raise_complete_async",
    "reveal",
    "running_context",
    "set_context",
]


class CompleteAsync(BaseException):
    """Ends the code of an attempt whose outcome comes from elsewhere."""


@dataclass(frozen=True, slots=True)
class Info:
    """One attempt of an activity."""

    activity: str
    """The registered name."""
    task_id: str
    """`<run>.<n>.<attempt>`."""
    task_token: bytes
    """Names this attempt to whoever completes it from elsewhere; see `raise_complete_async`."""
    attempt: int
    """Which attempt this is, from 1."""
    idempotency_key: str
    """The same for every attempt, over crashes: give it to the system that you change."""
    fencing_token: int
    """Never goes down: a system can refuse a token lower than one it has seen."""
    namespace: str
    """The run's namespace."""
    workflow_id: str
    """The user's name for the run."""
    workflow_type: str
    """The workflow's registered name."""
    run_id: str
    """The run."""
    scheduled_time: datetime
    """When the activity was first scheduled, in UTC."""
    deadline: datetime | None
    """When this attempt must be over, in UTC; None when nothing limits it."""
    heartbeat_timeout: timedelta | None
    """The longest silence allowed; None when there is no limit."""
    heartbeat_details: Any = None
    """What the last heartbeat of an earlier attempt recorded; None when there is none."""
    last_failure: BaseException | None = None
    """Why the attempt before failed; None in the first."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """User headers."""
    is_local: bool = False
    """Whether it is a local activity, or a step; False by default."""


class ActivityContext(Protocol):
    """The running attempt, as its own code reaches it from any thread or task."""

    @property
    def info(self) -> Info:
        """What is known of the attempt."""
        ...

    def heartbeat(self, details: Any) -> None:
        """Says that it is alive; keeps `details` for the next attempt."""
        ...

    def is_cancelled(self) -> bool:
        """Whether cancellation was requested."""
        ...

    def reveal(self, name: str) -> str | bytes:
        """The value of a secret."""
        ...


_context: contextvars.ContextVar[ActivityContext] = contextvars.ContextVar("perdure_activity")


def set_context(context: ActivityContext) -> contextvars.Token[ActivityContext]:
    """Makes `context` the running attempt of this thread or task."""
    return _context.set(context)


def _require(verb: str) -> ActivityContext:
    context = _context.get(None)
    if context is None:
        raise RuntimeError(f"activity.{verb}() works only inside an activity")
    return context


def running_context() -> ActivityContext | None:
    """The running attempt, if this is code of an activity."""
    return _context.get(None)


def reveal(name: str) -> str | bytes:
    """The value of a secret; see `Secret.reveal`."""
    context = _context.get(None)
    if context is None:
        raise RuntimeError(
            f"the secret {name!r} is revealed only inside an activity, and not in one with "
            "process_pool=True"
        )
    return context.reveal(name)


def is_running() -> bool:
    """Whether this is code of an activity."""
    return _context.get(None) is not None


def info() -> Info:
    """What is known of the running attempt.

    Raises:
        RuntimeError: No activity is running here.
    """
    return _require("info").info


def heartbeat(details: Any = None) -> None:
    """Says that the attempt is alive, and keeps `details` for the next attempt.

    Cheap to call often: what is sent is throttled, and the last details are never lost.

    Raises:
        RuntimeError: No activity is running here.
        EncodeError: `details` cannot be represented in every language.
    """
    _require("heartbeat").heartbeat(details)


def raise_complete_async() -> NoReturn:
    """Ends the code of the attempt, but not the attempt: whoever has its `task_token` completes it.

    The attempt takes no slot any more, outlives this worker, and its timeouts go on. See
    `Client.get_async_activity_handle`.

    Raises:
        RuntimeError: No activity is running here.
    """
    _require("raise_complete_async")
    raise CompleteAsync


def is_cancelled() -> bool:
    """Whether cancellation of the running attempt was requested.

    An `async def` activity gets `asyncio.CancelledError` by itself; a `def` asks here.

    Raises:
        RuntimeError: No activity is running here.
    """
    return _require("is_cancelled").is_cancelled()
