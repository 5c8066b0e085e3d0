"""Strict mode: what substitution and guards cannot see is refused too, at a price for every call.

A profile function watches the calls that workflow code makes into C: `datetime.now()`, and
functions whose name was imported before the first worker put the run's own in their place.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
import time
from typing import TYPE_CHECKING, Any

from perdure.instance._guard import guarded, is_interpreter
from perdure.instance._refusal import refusal

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["watch_call"]

_CLOCKS = "Use workflow.now(): the run's own time."
_TIME = frozenset({
    "clock_gettime", "clock_gettime_ns", "gmtime", "localtime", "monotonic", "monotonic_ns",
    "perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "sleep", "time",
    "time_ns",
})  # fmt: skip
_DATETIME = frozenset({"now", "today", "utcnow"})
_GLOBAL_RANDOM: Any = getattr(random, "_inst", None)


def watch_call(_frame: FrameType, event: str, called: Any) -> None:
    """For `sys.setprofile` while workflow code is driven.

    Raises:
        NondeterminismError: What is called is not part of the run.
    """
    if event != "c_call":
        return
    found = _refused(called)
    if found is not None and guarded() and not is_interpreter():
        raise refusal(*found)


def _refused(called: Any) -> tuple[str, str] | None:
    name = getattr(called, "__name__", "")
    owner = getattr(called, "__self__", None)
    if name in _DATETIME and isinstance(owner, type) and issubclass(owner, dt.date):
        return f"{owner.__name__}.{name}", _CLOCKS
    if owner is _GLOBAL_RANDOM and owner is not None:
        return f"random.{name}, imported by name", "Write `random.…`, or use workflow.random(name)."
    module = getattr(called, "__module__", None)
    if module == "time" and name in _TIME and called is not getattr(time, name, None):
        return f"time.{name}, imported by name before the first worker", f"Write `time.{name}`."
    if name == "urandom" and called is not os.urandom and owner is sys.modules.get("posix"):
        return "os.urandom, imported by name", "Make secrets in an activity."
    return None
