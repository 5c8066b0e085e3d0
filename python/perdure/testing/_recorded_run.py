"""`assert_replays`: what the tests say that `perdure test record` writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure._interceptor import Interceptor
from perdure.converter import DataConverter
from perdure.testing._history import WorkflowHistory
from perdure.testing._replayer import Replayer

__all__ = ["assert_replays"]


def assert_replays(
    history: str | Path,
    *,
    workflows: Sequence[Any],
    interceptors: Sequence[Interceptor] = (),
    data_converter: DataConverter | None = None,
) -> None:
    """Replays an exported run: activities answer as they did, and the outcome must be the same.

    Args:
        history: The file.
        workflows: Workflow functions and classes.
        interceptors: What stands around their code; none by default.
        data_converter: What the payloads were encoded with; nothing by default.

    Raises:
        NondeterminismError: The code asks for something else, or comes to something else.
        WorkflowParkedError: The code has a bug.
        StoreDamagedError: The file cannot be read.
        UnknownWorkflowError: None of the workflows has its type.
    """
    replayer = Replayer(
        workflows=workflows,
        interceptors=interceptors,
        data_converter=data_converter,
        processes=1,
    )
    asyncio.run(replayer.replay_workflow(WorkflowHistory.from_file(history)))
