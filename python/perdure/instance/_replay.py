"""A recorded history against today's code, with no engine behind it."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from perdure._core import RecordedHistory
from perdure.instance._determinism import install_determinism
from perdure.instance._instance import Instance
from perdure.instance._observed import ObservedInstance

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from perdure.errors import NondeterminismError
    from perdure.instance._noted import Noted
    from perdure.instance._strict import Watch
    from perdure.workflow._definition import WorkflowDefinition

__all__ = ["Stop", "find_stop", "observe_last_command", "replay"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a replay did not reach the end of the history."""

    error: BaseException
    """The bug that would park the run; or what the machine or the reader said."""
    refusal: NondeterminismError | None
    """What the machine said, where it was the machine that refused; else None."""


def replay(
    history: RecordedHistory, workflows: Mapping[str, WorkflowDefinition[..., Any]]
) -> Instance:
    """Reads, checks and delivers the whole history; gives the instance as it then stands.

    The caller evicts it. Results that differ from what is recorded are a mismatch too.

    Raises:
        StoreDamagedError: The history cannot be read.
        NondeterminismError: The code asks for something else than what is recorded.
        Exception: What parks the run at its end: a bug of the workflow's code.
    """
    install_determinism()
    instance = Instance(lambda _, name: workflows.get(name), history.run_id, 0)
    try:
        _deliver(history, instance)
    except BaseException:
        instance.evict()
        raise
    return instance


def find_stop(
    text: str,
    workflows: Mapping[str, WorkflowDefinition[..., Any]],
    watch: Watch | None = None,
) -> Stop | None:
    """Replays an exported history; None when today's code does what it says, to its end.

    Args:
        text: The exported history.
        workflows: Today's, by name.
        watch: Sees each call into C of workflow code; nobody does by default.

    Raises:
        KeyboardInterrupt: Somebody interrupts.
    """
    install_determinism()
    try:
        history = RecordedHistory.from_json(text)
        instance = Instance(lambda _, name: workflows.get(name), history.run_id, 0)
    except Exception as error:
        return Stop(error, None)
    return _stop_of(history, instance, watch)


def observe_last_command(
    text: str, workflows: Mapping[str, WorkflowDefinition[..., Any]]
) -> tuple[Stop | None, Noted]:
    """Replays once more, slower, and also gives what the code asked for last."""
    history = RecordedHistory.from_json(text)
    instance = ObservedInstance(lambda _, name: workflows.get(name), history.run_id, 0)
    noted = instance.noted
    return _stop_of(history, instance), noted


def _stop_of(
    history: RecordedHistory, instance: Instance, watch: Watch | None = None
) -> Stop | None:
    try:
        with _watched(watch):
            _deliver(history, instance)
    except (Exception, SystemExit) as error:
        return Stop(error, instance.fault_error)
    finally:
        instance.evict()
    return None


@contextlib.contextmanager
def _watched(watch: Watch | None) -> Generator[None]:
    if watch is None:
        yield
        return
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        yield
    finally:
        sys.setprofile(before)


def _deliver(history: RecordedHistory, instance: Instance) -> None:
    history.lend(instance)
    try:
        instance.drive()
        if instance.bug is not None:
            raise instance.bug
    finally:
        history.take_back(instance)
