"""One history, replayed and judged."""

from __future__ import annotations

import dataclasses
import inspect
import traceback
from collections.abc import Mapping
from typing import Any

from perdure.errors import NondeterminismError, PerdureError, StoreError, UnknownWorkflowError
from perdure.instance._frames import is_user_file
from perdure.instance._replay import find_stop, observe_last_command
from perdure.instance._strict import StrictFinding, Watch
from perdure.testing._history import WorkflowHistory, is_closed
from perdure.testing._mismatch import mismatch_of
from perdure.testing._results import ReplayVerdict, WorkflowReplayResult
from perdure.workflow._definition import WorkflowDefinition

__all__ = ["judge"]


def judge(
    history: WorkflowHistory,
    index: int,
    workflows: Mapping[str, WorkflowDefinition[..., Any]],
    *,
    strict: bool = False,
) -> WorkflowReplayResult:
    """Replays a history with these workflows; whatever goes wrong is a verdict.

    Args:
        history: The recorded history.
        index: Which of the histories it is.
        workflows: Today's, by name.
        strict: Whether to look also for calls that give another answer each time; False by
            default.
    """
    if not strict:
        return _judge(history, index, workflows, None)
    watch = Watch()
    return _with_findings(_judge(history, index, workflows, watch), watch.findings)


def _with_findings(
    result: WorkflowReplayResult, findings: tuple[StrictFinding, ...]
) -> WorkflowReplayResult:
    if not findings:
        return result
    lines = [line for each in findings for line in (str(each), f"    {each.instead}")]
    if result.verdict is ReplayVerdict.OK:
        verdict, head = ReplayVerdict.UNREPEATABLE, "it fits, and asks for what changes:"
    else:
        verdict, head = result.verdict, f"{result.reason}\n  it also asks for what changes:"
    reason = "\n  ".join([head, *lines])
    return dataclasses.replace(result, verdict=verdict, reason=reason, findings=findings)


def _judge(
    history: WorkflowHistory,
    index: int,
    workflows: Mapping[str, WorkflowDefinition[..., Any]],
    watch: Watch | None,
) -> WorkflowReplayResult:
    names = history.workflow_id, history.run_id, history.workflow_type
    place = "" if history.run_id else history.source.path
    try:
        text = history.to_json()
    except PerdureError as error:
        return WorkflowReplayResult(
            *names, ReplayVerdict.UNREADABLE, str(error), place=place, index=index
        )
    stop = find_stop(text, workflows, watch)
    if stop is None:
        return WorkflowReplayResult(
            *names, ReplayVerdict.OK, is_closed=is_closed(text), index=index
        )
    if stop.refusal is not None and stop.refusal.mismatch is not None:
        return _mismatch(names, index, text, stop.refusal, workflows)
    if stop.refusal is not None or isinstance(stop.error, StoreError):
        verdict, shown = ReplayVerdict.UNREADABLE, ""
    elif isinstance(stop.error, UnknownWorkflowError):
        verdict, shown = ReplayVerdict.UNKNOWN_TYPE, ""
    else:
        verdict, shown = ReplayVerdict.BUG, _traceback_of(stop.error)
    return WorkflowReplayResult(
        *names,
        verdict,
        _reason(stop.error),
        shown,
        is_closed=verdict is not ReplayVerdict.UNREADABLE and is_closed(text),
        place=place,
        index=index,
    )


def _mismatch(
    names: tuple[str, str, str],
    index: int,
    text: str,
    refusal: NondeterminismError,
    workflows: Mapping[str, WorkflowDefinition[..., Any]],
) -> WorkflowReplayResult:
    """The verdict on code that does not do what its history says."""
    again, noted = observe_last_command(text, workflows)
    changing = again is None or str(again.refusal) != str(refusal)
    definition = workflows.get(names[2])
    files = [] if definition is None else [inspect.getfile(definition.fn)]
    mismatch = mismatch_of(refusal, text, None if changing else noted, files)
    reason = str(mismatch)
    if changing:
        reason += "\n  a second replay of the same history went another way: the code depends on "
        reason += "something that changes by itself"
    return WorkflowReplayResult(
        *names,
        ReplayVerdict.MISMATCH,
        reason,
        mismatch=mismatch,
        is_closed=is_closed(text),
        index=index,
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, PerdureError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _traceback_of(error: BaseException) -> str:
    """From the first frame of user code on: how it was replayed is nobody's concern."""
    frames = error.__traceback__
    while frames is not None and not is_user_file(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(type(error), error, frames))
