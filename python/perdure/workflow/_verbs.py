"""Time, chance and conditions, as the run itself has them."""

from __future__ import annotations

import asyncio
import random as random_module
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from perdure import _runtime
from perdure.workflow._info import Info

__all__ = [
    "info",
    "last_failure",
    "now",
    "random",
    "sleep",
    "time",
    "time_ns",
    "uuid4",
    "wait_condition",
]


async def sleep(duration: timedelta | float) -> None:
    """Waits durably: through restarts, for seconds or for years.

    Args:
        duration: A span, or seconds. Zero or less is one yield, with no timer.

    Raises:
        ValueError: Not a finite number.
    """
    _runtime.require("workflow.sleep")
    await asyncio.sleep(_seconds(duration))


def now() -> datetime:
    """The run's time in UTC: when the event being handled was recorded."""
    return _runtime.require("workflow.now").now()


def time() -> float:
    """The run's time in seconds since the Unix epoch."""
    return time_ns() / 1e9


def time_ns() -> int:
    """The run's time in nanoseconds since the Unix epoch."""
    return _runtime.require("workflow.time_ns").time_ns()


def random(name: str = "") -> random_module.Random:
    """A random stream of the run, the same again on replay.

    Args:
        name: Which stream; streams of different names do not shift each other.
    """
    return _runtime.require("workflow.random").random(name)


def uuid4() -> uuid.UUID:
    """A random UUID, the same again on replay."""
    return _runtime.require("workflow.uuid4").uuid4()


def last_failure() -> BaseException | None:
    """Why the attempt before this run failed; None in a first attempt."""
    return _runtime.require("workflow.last_failure").last_failure()


def info() -> Info:
    """What is known of the run."""
    return _runtime.require("workflow.info").info()


async def wait_condition(
    predicate: Callable[[], bool], *, timeout: timedelta | float | None = None
) -> None:
    """Waits until the predicate holds; it is looked at whenever the loop is idle.

    Args:
        predicate: Looks only at the workflow's own state.
        timeout: The longest wait, durable; no limit by default.

    Raises:
        asyncio.TimeoutError: The wait took longer.
    """
    await _runtime.require("workflow.wait_condition").wait_condition(predicate, timeout)


def _seconds(duration: timedelta | float) -> float:
    return duration.total_seconds() if isinstance(duration, timedelta) else float(duration)
