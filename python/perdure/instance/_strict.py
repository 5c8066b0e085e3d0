"""Strict mode: what substitution and guards cannot see is found too, at a price for every call.

A profile function watches the calls that workflow code makes into C: `datetime.now()`, and
functions whose name was imported before the first worker put the run's own in their place. A
worker refuses them; a replay notes where they are, and goes on.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from perdure.instance._frames import user_site
from perdure.instance._guard import guarded, is_interpreter
from perdure.instance._refusal import refusal

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["StrictFinding", "Watch", "watch_call"]

_CLOCKS = "Use workflow.now(): the run's own time."
_TIME = frozenset({
    "clock_gettime", "clock_gettime_ns", "gmtime", "localtime", "monotonic", "monotonic_ns",
    "perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "sleep", "time",
    "time_ns",
})  # fmt: skip
_DATETIME = frozenset({"now", "today", "utcnow"})
_GLOBAL_RANDOM: Any = getattr(random, "_inst", None)


class _Refused(NamedTuple):
    code: str
    what: str
    instead: str


@dataclass(frozen=True, slots=True)
class StrictFinding:
    """A call of workflow code, at its line, that gives another answer when it is replayed."""

    file: str
    line: int
    function: str
    code: str
    """The linter's rule for it, such as `PRD2101`."""
    what: str
    """What is called."""
    instead: str
    """What to write instead."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} {self.what} (in {self.function})"


class Watch:
    """For `sys.setprofile`: notes each place once, and lets the call pass."""

    def __init__(self) -> None:
        self._found: dict[StrictFinding, None] = {}

    @property
    def findings(self) -> tuple[StrictFinding, ...]:
        """What was found, in the order in which it was first called."""
        return tuple(self._found)

    def __call__(self, _frame: FrameType, event: str, called: Any) -> None:
        """Sees one call."""
        if event != "c_call":
            return
        found = _refused(called)
        if found is not None and guarded() and not is_interpreter():
            self._found.setdefault(StrictFinding(*user_site(), *found))


def watch_call(_frame: FrameType, event: str, called: Any) -> None:
    """For `sys.setprofile` while workflow code is driven.

    Raises:
        NondeterminismError: What is called is not part of the run.
    """
    if event != "c_call":
        return
    found = _refused(called)
    if found is not None and guarded() and not is_interpreter():
        raise refusal(found.what, found.instead)


def _refused(called: Any) -> _Refused | None:
    name = getattr(called, "__name__", "")
    owner = getattr(called, "__self__", None)
    if name in _DATETIME and isinstance(owner, type) and issubclass(owner, dt.date):
        return _Refused("PRD2101", f"{owner.__name__}.{name}", _CLOCKS)
    if owner is _GLOBAL_RANDOM and owner is not None:
        instead = "Write `random.…`, or use workflow.random(name)."
        return _Refused("PRD2201", f"random.{name}, imported by name", instead)
    module = getattr(called, "__module__", None)
    if module == "time" and name in _TIME and called is not getattr(time, name, None):
        what = f"time.{name}, imported by name before the first worker"
        return _Refused("PRD2102", what, f"Write `time.{name}`.")
    if name == "urandom" and called is not os.urandom and owner is sys.modules.get("posix"):
        return _Refused("PRD2202", "os.urandom, imported by name", "Make secrets in an activity.")
    return None
