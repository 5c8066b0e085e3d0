"""For tests of workflows: an environment whose time skips, and recorded histories replayed."""

from perdure.testing._environment import WorkflowEnvironment
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
    "WorkflowEnvironment",
    "WorkflowHistory",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "find_histories",
]
