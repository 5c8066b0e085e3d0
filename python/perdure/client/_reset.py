"""Runs that go on from a copy of another one's history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from perdure._core import encode
from perdure.client._ids import new_message_id, new_run, new_seed
from perdure.client._port import deliver
from perdure.errors import ResetRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ResetPoint", "copy_run"]

NamedPoint: TypeAlias = Literal["first", "last", "last_failure"]
ResetPoint: TypeAlias = int | NamedPoint
"""Everything before this event is kept: its number; or the first after the start, the last of the
history, or the last failure of an activity."""


async def copy_run(
    path: Path,
    run: bytes,
    history: str,
    point: ResetPoint,
    *,
    reason: str,
    results: Mapping[int, Any] | None,
    keep_signals: bool,
    workflow_id: str | None,
) -> str:
    """Asks for a reset, or with a workflow id for a fork; gives the new run's id.

    Raises:
        ResetRefusedError: The run cannot be reset to that point, or not so.
        WorkflowAlreadyStartedError: Another open run has the workflow id.
        NotFoundError: There is no such run.
        EncodeError: A result cannot travel.
    """
    given = dict(results or {})
    fields = {
        "run": run,
        "new_run": new_run().bytes,
        "event_n": event_of(point, history),
        "reason": reason,
        "commands": list(given),
        "results": [encode(value) for value in given.values()],
        "keeps_messages": keep_signals,
        "workflow_id": workflow_id,
        "seed": new_seed(),
    }
    answer = await deliver(path, "reset", new_message_id(), fields)
    if answer.kind == "reset_refused":
        raise ResetRefusedError(answer.refusal, run_id=answer.run_id)
    return answer.expect("started", workflow_id=workflow_id or "").run_id


def event_of(point: ResetPoint, history: str) -> int:
    """The number of the event that a point means in an exported history.

    Raises:
        ResetRefusedError: The history has no such event.
        ValueError: There is no point of that name.
    """
    if isinstance(point, int) and not isinstance(point, bool):
        if point < 1:
            raise ValueError(f"a history has no event {point}")
        return point
    if point not in get_args(NamedPoint):
        names = ", ".join(repr(name) for name in get_args(NamedPoint))
        raise ValueError(f"no point of a history is called {point!r}: an event's number, {names}")
    lines: list[dict[str, Any]] = [json.loads(line) for line in history.splitlines()]
    records = [line for line in lines if "n" in line]
    events: list[tuple[int, str]] = [
        (record["n"], record["event"]["kind"]) for record in records if "event" in record
    ]
    following = [n for n, _ in events if n > 1]
    match point:
        case "first":
            return following[0] if following else len(records) + 1
        case "last":
            return following[-1] if following else len(records) + 1
        case _:
            failed = [n for n, kind in events if kind == "activity_failed"]
            if not failed:
                raise ResetRefusedError("no activity of the run has failed", run_id="")
            return failed[-1]
