"""`assert_replays`: what the tests say that `perdure test record` writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure.testing._history import WorkflowHistory
from perdure.testing._replayer import Replayer

__all__ = ["assert_replays"]


def assert_replays(history: str | Path, *, workflows: Sequence[Any]) -> None:
    """Replays an exported run: activities answer as they did, and the outcome must be the same.

    Args:
        history: The file.
        workflows: Workflow functions and classes.

    Raises:
        NondeterminismError: The code asks for something else, or comes to something else.
        WorkflowParkedError: The code has a bug.
        StoreDamagedError: The file cannot be read.
        UnknownWorkflowError: None of the workflows has its type.
    """
    replayer = Replayer(workflows=workflows, processes=1)
    asyncio.run(replayer.replay_workflow(WorkflowHistory.from_file(history)))
