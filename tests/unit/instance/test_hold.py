"""An interruption reaches the code that holds the loop, or nobody."""

from __future__ import annotations

import operator
import sys
import threading
import uuid
from collections.abc import Callable
from types import FrameType

import pytest

from perdure._core import Hold
from perdure.errors import RunInterrupted
from perdure.instance._instance import Instance


def holding() -> tuple[Hold, Instance]:
    hold = Hold(threading.get_ident())
    instance = Instance(lambda _queue, _name: None, uuid.uuid4().hex, 0)
    hold.enter(instance, reads=False)
    return hold, instance


def _watch(frame: FrameType, event: str, called: object) -> None:
    """A profile function that does nothing."""


def test_the_holder_is_known_and_interrupted_by_its_number() -> None:
    hold, instance = holding()
    held = hold.held()
    assert held is not None
    number, seconds, holder = held
    assert (number, holder) == (1, instance)
    assert seconds >= 0.0
    with pytest.raises(RunInterrupted):
        hold.interrupt(number, RunInterrupted)
    assert hold.leave() is True
    assert hold.held() is None


def test_code_that_comes_later_is_not_interrupted() -> None:
    hold, instance = holding()
    assert hold.leave() is False
    assert hold.interrupt(1, RunInterrupted) is False
    hold.enter(instance, reads=False)
    assert hold.interrupt(1, RunInterrupted) is False
    assert hold.leave() is False


def test_leaving_swallows_an_interruption_that_was_not_raised_yet() -> None:
    hold, _instance = holding()
    wanted, interrupted = threading.Lock(), threading.Lock()
    wanted.acquire()
    interrupted.acquire()

    def interrupt() -> None:
        wanted.acquire()
        hold.interrupt(1, RunInterrupted)
        interrupted.release()

    thread = threading.Thread(target=interrupt)
    thread.start()
    # One stretch of C code, in which the interpreter raises nothing that comes from outside.
    calls: list[Callable[[], object]] = [wanted.release, interrupted.acquire, hold.leave]
    assert list(map(operator.call, calls)) == [None, True, True]
    thread.join()
    # CPython 3.11 would loop here for ever, had the interruption only been taken back.
    sys.setprofile(_watch)
    holding()
    sys.setprofile(None)
