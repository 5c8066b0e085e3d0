"""Notices workflow code that holds the host's loop, and takes the loop back from it."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from perdure._core import Hold
from perdure.client._answer import Answer
from perdure.convert import failure_of
from perdure.errors import DeadlockError, RunInterrupted
from perdure.instance._frames import is_user_file
from perdure.instance._strict import watch_call
from perdure.worker._queries import answer_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from perdure.instance._instance import Instance

__all__ = ["Watchdog"]

logger = logging.getLogger("perdure.worker")

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_NOTHING: Final = object()
"""No result: what was to give one was interrupted."""

_LOOKS_A_TIMEOUT = 4
_INTERRUPTION_SECONDS = 0.01
"""How soon code that caught the interruption is interrupted again."""

_INTERRUPTIONS_MAX = 100
"""After how many in vain the log says so."""

_FRAMES_LOGGED = 3
_INSTEAD = "Move the work into an activity, or await asyncio.sleep(0) in the loop."


class _Caught(NamedTuple):
    """Where code was when it was interrupted first: text alone, which keeps no frame alive."""

    number: int
    file: str
    line: int
    function: str
    stack: str


class Watchdog:
    """Says which run holds the loop, and where, once it has for longer than the timeout; after
    the limit it interrupts the code and its run is parked.

    A thread of its own looks, since the loop cannot. The interruption is an exception, which only
    Python code sees: a C function that never returns is named and not stopped, and neither is a
    loop that catches `BaseException` and goes on. Of these the log says that only a restart helps.
    """

    def __init__(self, timeout_s: float | None, limit_s: float | None, strict: bool) -> None:
        self._timeout_s = timeout_s
        self._limit_s = limit_s
        self._thread_id = threading.get_ident()
        self._hold = Hold(self._thread_id)
        self._caught: _Caught | None = None
        self._interruptions = 0
        self._closed = threading.Event()
        self._strict = strict
        self._thread = threading.Thread(target=self._watch, name="perdure-watchdog", daemon=True)
        if self._timeout_s is not None or self._limit_s is not None:
            self._thread.start()

    def drive(self, instance: Instance, budget_us: int) -> bool:
        """As the instance's own, but for the limit.

        Raises:
            DeadlockError: The code was interrupted, whatever it made of that.
        """
        return self._watched(instance, False, instance.drive, budget_us)

    def answer(self, instance: Instance | None, name: str, arguments: bytes) -> Answer:
        """What a query gives; one that was interrupted fails, and nothing else does."""
        if instance is None:
            return answer_query(instance, name, arguments)
        try:
            return self._watched(instance, True, answer_query, instance, name, arguments)
        except DeadlockError as error:
            return Answer("query_failed", failure=failure_of(error))

    def _watched(
        self,
        instance: Instance,
        reads: bool,
        action: Callable[Parameters, Result],
        *arguments: Parameters.args,
        **options: Parameters.kwargs,
    ) -> Result:
        # Each turn passes here: no object more than needed.
        hold = self._hold
        profile = sys.getprofile() if self._strict else None
        if self._strict:
            sys.setprofile(watch_call)
        result: Any = _NOTHING
        hold.enter(instance, reads=reads)
        interrupted = False
        try:
            result = action(*arguments, **options)
        except RunInterrupted:
            pass
        finally:
            # The interpreter raises what comes from outside after a call, never before one: so
            # nothing comes between an interruption and this, which swallows a second one.
            try:
                interrupted = hold.leave()
            except RunInterrupted:
                # Raised in the profile function, which the interpreter has taken out for that.
                interrupted = hold.leave()
            if self._strict:
                sys.setprofile(profile)
        if interrupted or result is _NOTHING:
            raise self._deadlock()
        return cast("Result", result)

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        limits_s = [each for each in (self._timeout_s, self._limit_s) if each is not None]
        look_s = pause_s = min(limits_s) / _LOOKS_A_TIMEOUT
        reported = 0
        while not self._closed.wait(pause_s):
            pause_s = look_s
            held = self._hold.held()
            if held is None:
                continue
            number, seconds, instance = held
            if self._limit_s is not None and seconds >= self._limit_s:
                self._interrupt(number, instance)
                pause_s = _INTERRUPTION_SECONDS
            elif self._timeout_s is not None and seconds >= self._timeout_s and number != reported:
                reported = number
                self._report(instance)
            del held, instance

    def _interrupt(self, number: int, instance: Instance) -> None:
        if self._caught is None or self._caught.number != number:
            frames = self._frames()
            self._caught = _Caught(number, *_site(frames), _text(frames))
            self._interruptions = 0
        self._hold.interrupt(number, RunInterrupted)
        self._interruptions += 1
        if self._interruptions == _INTERRUPTIONS_MAX:
            logger.critical(
                "run %s of %s cannot be interrupted: it is in a C function, or catches "
                "BaseException in a loop; nothing else of this worker runs. Terminate the run or "
                "mend its code, and restart this process. It was at:\n%s",
                instance.run_id,
                instance.workflow_type,
                self._caught.stack,
            )

    def _deadlock(self) -> DeadlockError:
        message = (
            f"workflow code held the loop for more than {self._limit_s:g} s without awaiting "
            f"anything, and was interrupted. {_INSTEAD}"
        )
        caught = self._caught
        if caught is None:
            return DeadlockError(message)
        error = DeadlockError(message, file=caught.file, line=caught.line, function=caught.function)
        error.add_note(f"It was at:\n{caught.stack}")
        return error

    def _report(self, instance: Instance) -> None:
        logger.warning(
            "run %s of %s has held the loop for more than %g s without awaiting anything; "
            "everything else of this worker waits. %s It is at:\n%s",
            instance.run_id,
            instance.workflow_type,
            self._timeout_s,
            _INSTEAD,
            _text(self._frames()[-_FRAMES_LOGGED:]),
        )

    def _frames(self) -> list[tuple[FrameType, int]]:
        """Where the run's code is, the innermost last; empty when it has just gone."""
        walked: list[tuple[FrameType, int]] = []
        frame = sys._current_frames().get(self._thread_id)
        for each in traceback.walk_stack(frame) if frame is not None else ():
            if each[0].f_code is Watchdog._watched.__code__:
                return walked[::-1]
            walked.append(each)
        return []


def _text(frames: list[tuple[FrameType, int]]) -> str:
    return "".join(traceback.StackSummary.extract(iter(frames)).format())


def _site(frames: list[tuple[FrameType, int]]) -> tuple[str, int, str]:
    for frame, line in reversed(frames):
        code = frame.f_code
        if is_user_file(code.co_filename):
            return code.co_filename, line, code.co_qualname
    return "", 0, ""
