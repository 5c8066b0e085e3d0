"""What `perdure replay` says: verdicts by workflow type, and each failure once."""

from __future__ import annotations

import dataclasses
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

from perdure.cli._output import Style, print_table
from perdure.testing import ReplayVerdict, WorkflowReplayResult, WorkflowReplayResults

__all__ = ["print_report", "report_fields"]

_NAMED_RUNS_MAX = 5
_WIDTH = 100
_STRICT = ReplayVerdict.UNREPEATABLE


def print_report(results: WorkflowReplayResults) -> None:
    """The table, then what differs and what to do about it, once for runs that fail alike."""
    came = {each.verdict for each in results.results}
    # A strict replay's own verdict has a column where there is something in it.
    verdicts = [each for each in ReplayVerdict if each in came or each is not _STRICT]
    titles = ["type", "histories", *(verdict.value for verdict in verdicts)]
    rows = [
        [
            workflow_type or "?",
            str(sum(counted.values())),
            *(str(counted[verdict] or "") for verdict in verdicts),
        ]
        for workflow_type, counted in results.verdicts.items()
    ]
    print_table(titles, rows)
    for alike in _groups(results):
        print()
        _print_group(alike)


def report_fields(results: WorkflowReplayResults) -> dict[str, Any]:
    """The same for programs; every failure is listed."""
    return {
        "ok": results.is_ok,
        "histories": len(results.results),
        "verdicts": {
            workflow_type: {verdict.value: count for verdict, count in counted.items()}
            for workflow_type, counted in results.verdicts.items()
        },
        "failures": [_fields(each) for each in results.results if not _is_ok(each)],
    }


def _fields(result: WorkflowReplayResult) -> dict[str, Any]:
    fields = dataclasses.asdict(result)
    del fields["index"]
    return {**fields, "verdict": result.verdict.value}


def _is_ok(result: WorkflowReplayResult) -> bool:
    return result.verdict is ReplayVerdict.OK


def _groups(results: WorkflowReplayResults) -> list[list[WorkflowReplayResult]]:
    """Failures, those together that part from the code at the same place."""
    groups: dict[tuple[Any, ...], list[WorkflowReplayResult]] = {}
    for each in results.results:
        if not _is_ok(each):
            mismatch = each.mismatch
            alike = each.reason if mismatch is None else (mismatch.title, mismatch.asked)
            key = each.verdict, each.workflow_type, each.traceback, alike
            groups.setdefault(key, []).append(each)
    return list(groups.values())


def _print_group(alike: Sequence[WorkflowReplayResult]) -> None:
    first = alike[0]
    runs = "1 run" if len(alike) == 1 else f"{len(alike):,} runs"
    kind = f"{first.workflow_type}, {runs}" if first.workflow_type else runs
    style = Style(sys.stdout)
    print(f"{style.paint(first.verdict.value, 'red')}: {kind}")
    print(textwrap.indent(first.reason, "  "))
    if first.traceback:
        print(textwrap.indent(first.traceback.rstrip(), "  "))
    names = [_name(each) for each in alike[:_NAMED_RUNS_MAX]]
    more = len(alike) - len(names)
    ending = f", and {more:,} more: -o json names them all" if more else ""
    print(f"  in {', '.join(names)}{ending}")
    edit = "" if first.mismatch is None else first.mismatch.patch_edit
    if edit and not all(each.is_closed for each in alike):
        print("  an edit that fits both, to be looked over:")
        print(textwrap.indent(edit, "    "))
    print(textwrap.fill(_advice(alike), _WIDTH, initial_indent="  → ", subsequent_indent="    "))


def _name(result: WorkflowReplayResult) -> str:
    if not result.run_id:
        return result.place
    state = "closed" if result.is_closed else "open"
    return f"{result.workflow_id} (run {result.run_id}, {state})"


def _advice(alike: Sequence[WorkflowReplayResult]) -> str:
    first = alike[0]
    name = first.workflow_type
    still_open = sum(not each.is_closed for each in alike)
    match first.verdict:
        case ReplayVerdict.MISMATCH if still_open:
            return (
                f"{still_open:,} open: a worker with this code would park them, until the code "
                "fits again. Let the workflow ask for the same as before, with the new "
                "steps inside `if workflow.patched(…):`; or keep the old code as "
                f"{name!r} until they have ended, and give the changed one another name beside it: "
                f'@workflow.defn(name="{name}_2").'
            )
        case ReplayVerdict.MISMATCH:
            return "All of them have ended, so that no worker steps them again."
        case ReplayVerdict.BUG:
            return (
                f"{still_open:,} open: a worker with this code would park them, and corrected code "
                "resumes them."
            )
        case ReplayVerdict.UNREPEATABLE:
            return (
                "The answer is another one on each replay: what is asked after it may then no "
                "longer fit. Where nothing depends on it, wrap the line in "
                "`with workflow.unsafe.unguarded():`."
            )
        case ReplayVerdict.UNREADABLE:
            return (
                "Export it again with `perdure history export`; `perdure doctor` checks the store."
            )
        case _:
            return "Name the file or module that defines it, or choose types by --workflow-type."
