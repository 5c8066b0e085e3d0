"""Notices workflow code that holds the host's loop without awaiting anything."""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.instance._instance import Instance

__all__ = ["Watchdog"]

logger = logging.getLogger("perdure.worker")

_LOOKS_A_TIMEOUT = 4


class Watchdog:
    """Says which run holds the loop, and where, once it has for longer than the timeout.

    A thread of its own looks, since the loop cannot. It only reports: ending the run would hide
    the bug, and Python code cannot be stopped from outside.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._thread_id = threading.get_ident()
        self._held: tuple[Instance, float] | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="perdure-watchdog", daemon=True)
        self._thread.start()

    def enter(self, instance: Instance) -> None:
        """A run's code is about to have the loop."""
        self._held = (instance, time.monotonic())

    def leave(self) -> None:
        """The run's code has given the loop back."""
        self._held = None

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        reported = None
        while not self._closed.wait(self._timeout_s / _LOOKS_A_TIMEOUT):
            held = self._held
            if held is None or held is reported:
                continue
            if time.monotonic() - held[1] >= self._timeout_s:
                reported = held
                self._report(held[0])

    def _report(self, instance: Instance) -> None:
        frame = sys._current_frames().get(self._thread_id)
        where = "".join(traceback.format_stack(frame)[-3:]) if frame is not None else ""
        logger.warning(
            "run %s of %s has held the loop for more than %g s without awaiting anything; "
            "everything else of this worker waits. Move the work into an activity, or await "
            "asyncio.sleep(0) in the loop. It is at:\n%s",
            instance.run_id,
            instance.workflow_type,
            self._timeout_s,
            where,
        )
