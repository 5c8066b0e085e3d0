"""What crosses between a replayer and its processes: lines of JSON with names and texts."""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from perdure.instance._strict import StrictFinding
from perdure.testing._history import Source, WorkflowHistory
from perdure.testing._mismatch import FieldDifference, Mismatch, ReplayCommand
from perdure.testing._results import ReplayVerdict, WorkflowReplayResult
from perdure.testing._source_lines import CallSite
from perdure.workflow._definition import WorkflowDefinition, definition_of

__all__ = [
    "Job",
    "find_by_name",
    "job_line",
    "jobs_of",
    "names_of",
    "result_line",
    "result_of",
]

Job = tuple[int, WorkflowHistory]
"""A history and which of them it is."""


def names_of(definition: WorkflowDefinition[..., Any]) -> tuple[str, str] | None:
    """Module and qualified name by which another process finds the workflow; None if it cannot.

    The main module is not imported again: a script without a guard would do everything twice.
    """
    target = definition.cls or definition
    module, name = target.__module__, target.__qualname__
    if module == "__main__" or "<" in name:
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is target else None


def find_by_name(module: str, qualified_name: str) -> WorkflowDefinition[..., Any]:
    """The workflow of these names."""
    found: Any = importlib.import_module(module)
    for part in qualified_name.split("."):
        found = getattr(found, part)
    return definition_of(found)


def job_line(jobs: Sequence[Job]) -> bytes:
    """Histories to be replayed, as one line."""
    fields = [
        (
            index,
            {
                "workflow_id": history.workflow_id,
                "run_id": history.run_id,
                "workflow_type": history.workflow_type,
            },
            dataclasses.asdict(history.source),
        )
        for index, history in jobs
    ]
    return _line(fields)


def jobs_of(line: bytes) -> list[Job]:
    """The histories of a line."""
    return [
        (index, WorkflowHistory(**names, source=Source(**source)))
        for index, names, source in json.loads(line)
    ]


def result_line(result: WorkflowReplayResult) -> bytes:
    """A result, as one line."""
    return _line({**dataclasses.asdict(result), "verdict": result.verdict.value})


def result_of(line: bytes) -> WorkflowReplayResult:
    """The result of a line."""
    fields: dict[str, Any] = json.loads(line)
    fields["verdict"] = ReplayVerdict(fields["verdict"])
    mismatch = fields["mismatch"]
    fields["mismatch"] = None if mismatch is None else _mismatch_of(mismatch)
    fields["findings"] = tuple(StrictFinding(**each) for each in fields["findings"])
    return WorkflowReplayResult(**fields)


def _mismatch_of(fields: Mapping[str, Any]) -> Mismatch:
    return Mismatch(
        fields["event_n"],
        _command_of(fields["recorded"]),
        _command_of(fields["asked"]),
        tuple(FieldDifference(**each) for each in fields["differences"]),
        _site_of(fields["waits_at"]),
        fields["patch_edit"],
    )


def _command_of(fields: Mapping[str, Any] | None) -> ReplayCommand | None:
    if fields is None:
        return None
    return ReplayCommand(fields["kind"], fields["name"], _site_of(fields["site"]))


def _site_of(fields: Mapping[str, Any] | None) -> CallSite | None:
    return None if fields is None else CallSite(**fields)


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
