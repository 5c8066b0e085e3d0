"""How an activity is run; every field has a default, so that hello-world needs none."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any, TypedDict

from perdure.priority import Priority
from perdure.rate_limit import RateLimit
from perdure.retry import RetryPolicy
from perdure.spans import check_span

__all__ = [
    "ActivityCancellationType",
    "ActivityOptions",
    "ActivityOptionsFields",
    "LocalActivityOptionsFields",
    "LocalRun",
    "SessionActivityOptionsFields",
]


_RETRY_THRESHOLD = timedelta(minutes=1)


class ActivityCancellationType(enum.Enum):
    """What cancelling an awaited activity does."""

    TRY_CANCEL = "try"
    """Tell the worker, and raise `CancelledError` in the workflow at once."""
    WAIT_CANCELLATION_COMPLETED = "wait_completed"
    """Tell the worker, and wait for what it answers."""
    ABANDON = "abandon"
    """Do not tell the worker."""


class SessionActivityOptionsFields(TypedDict, total=False):
    """The fields of `ActivityOptions` that a call inside a session can choose."""

    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    schedule_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy
    cancellation_type: ActivityCancellationType
    summary: str | None
    priority: Priority
    rate_limit: RateLimit | tuple[RateLimit, ...] | None
    headers: Mapping[str, str] | None


class ActivityOptionsFields(SessionActivityOptionsFields, total=False):
    """The fields of `ActivityOptions` as keyword arguments."""

    task_queue: str | None


class LocalActivityOptionsFields(TypedDict, total=False):
    """The options of a local activity as keyword arguments."""

    start_to_close_timeout: timedelta | None
    schedule_to_close_timeout: timedelta | None
    retry_policy: RetryPolicy
    local_retry_threshold: timedelta
    cancellation_type: ActivityCancellationType
    summary: str | None
    headers: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class LocalRun:
    """How a local activity differs from others."""

    retry_threshold: timedelta = _RETRY_THRESHOLD
    """A wait before the next attempt that is no longer leaves no record; 1 min by default."""
    recorded_first: bool = False
    """Whether all that came before it is durable before it begins; False by default."""


@dataclass(frozen=True, slots=True)
class ActivityOptions:
    """How an activity is run."""

    task_queue: str | None = None
    """The task queue; the run's own by default."""
    schedule_to_start_timeout: timedelta | None = None
    """From scheduling to the beginning of an attempt; no limit by default. Not retried."""
    start_to_close_timeout: timedelta | None = timedelta(hours=1)
    """One attempt; 1 h by default."""
    schedule_to_close_timeout: timedelta | None = None
    """Queueing, all attempts and the waits between them; no limit by default."""
    heartbeat_timeout: timedelta | None = None
    """The longest silence of the worker; no limit by default."""
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    """When to try again; for ever with exponential backoff by default."""
    cancellation_type: ActivityCancellationType = ActivityCancellationType.TRY_CANCEL
    """What cancelling the call means; `TRY_CANCEL` by default."""
    summary: str | None = None
    """One line for people, shown by the command line; none by default."""
    priority: Priority = field(default_factory=Priority)
    """Which of the attempts that wait leaves first; the run's own by default."""
    rate_limit: RateLimit | tuple[RateLimit, ...] | None = None
    """What its attempts share with those of other calls, one or several; nothing by default."""
    headers: Mapping[str, str] | None = None
    """Texts that travel along with the call, over those of the run; none by default."""
    local: LocalRun | None = None
    """Of a local activity alone, set by its verbs; None by default."""
    session: int | None = None
    """Of what belongs to a session alone, set by its verbs; None by default."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name.endswith("_timeout"):
                check_span(each.name, value)
            if isinstance(value, timedelta) and value <= timedelta(0):
                raise ValueError(f"{each.name} must be longer than zero, or None for no limit")

    @property
    def rate_limits(self) -> tuple[RateLimit, ...]:
        """The rate limits, however many."""
        if isinstance(self.rate_limit, RateLimit):
            return (self.rate_limit,)
        return self.rate_limit or ()

    def run_locally(
        self, changes: LocalActivityOptionsFields, *, recorded_first: bool
    ) -> ActivityOptions:
        """These options for a local activity, with some fields replaced.

        Raises:
            TypeError: A local activity has no such option.
            ValueError: The threshold is negative, or there is a rate limit.
        """
        for name in changes:
            if name not in LocalActivityOptionsFields.__annotations__:
                raise TypeError(
                    f"{name} is no option of a local activity, which runs at once in this process: "
                    "leave it out, or call it as an ordinary activity"
                )
        if self.rate_limit is not None:
            raise ValueError(
                "a local activity waits in no line, so it cannot keep its rate_limit: call it as "
                "an ordinary activity"
            )
        fields: dict[str, Any] = dict(changes)
        threshold = fields.pop("local_retry_threshold", _RETRY_THRESHOLD)
        if threshold < timedelta(0):
            raise ValueError("local_retry_threshold must not be negative (0 records every failure)")
        local = LocalRun(threshold, recorded_first)
        place = {"task_queue": None, "schedule_to_start_timeout": None, "local": local}
        return replace(self, **(place | fields))

    def with_fields(
        self, changes: ActivityOptionsFields | SessionActivityOptionsFields
    ) -> ActivityOptions:
        """These options with some fields replaced."""
        return replace(self, **changes)
