"""For tests of workflows: recorded histories replayed against today's code."""

from perdure.testing._history import WorkflowHistory, find_histories
from perdure.testing._mismatch import FieldDifference, Mismatch, ReplayCommand
from perdure.testing._replayer import Replayer
from perdure.testing._results import (
    ReplayVerdict,
    WorkflowReplayResult,
    WorkflowReplayResults,
)
from perdure.testing._source_lines import CallSite

__all__ = [
    "CallSite",
    "FieldDifference",
    "Mismatch",
    "ReplayCommand",
    "ReplayVerdict",
    "Replayer",
    "WorkflowHistory",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "find_histories",
]
