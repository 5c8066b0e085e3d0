"""For tests of workflows: time that skips, mocks, and recorded histories replayed."""

from perdure.instance._strict import StrictFinding
from perdure.testing._activity_environment import ActivityEnvironment
from perdure.testing._environment import WorkflowEnvironment
from perdure.testing._history import WorkflowHistory, find_histories
from perdure.testing._mismatch import FieldDifference, Mismatch, ReplayCommand
from perdure.testing._mock import ActivityMock, mock_activity
from perdure.testing._recorded_run import assert_replays
from perdure.testing._replayer import Replayer
from perdure.testing._results import (
    ReplayVerdict,
    WorkflowReplayResult,
    WorkflowReplayResults,
)
from perdure.testing._source_lines import CallSite
from perdure.testing._sync_environment import SyncWorkflowEnvironment

__all__ = [
    "ActivityEnvironment",
    "ActivityMock",
    "CallSite",
    "FieldDifference",
    "Mismatch",
    "ReplayCommand",
    "ReplayVerdict",
    "Replayer",
    "StrictFinding",
    "SyncWorkflowEnvironment",
    "WorkflowEnvironment",
    "WorkflowHistory",
    "WorkflowReplayResult",
    "WorkflowReplayResults",
    "assert_replays",
    "find_histories",
    "mock_activity",
]
