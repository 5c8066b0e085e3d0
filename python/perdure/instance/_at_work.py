"""The `async` handlers of one run that have not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perdure.workflow._logger import logger

if TYPE_CHECKING:
    import asyncio

__all__ = ["HandlersAtWork"]


class HandlersAtWork:
    """Tasks of handlers, from their first step to their last."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, task: asyncio.Task[Any]) -> None:
        """Counts a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def are_finished(self) -> bool:
        """Whether none is at work."""
        return not self._tasks

    def warn_of_unfinished(self) -> None:
        """Says which handlers the end of the run cuts off."""
        if self._tasks:
            names = sorted(task.get_name() for task in self._tasks)
            logger.warning(
                "the run ends while handlers are still at work: %s. Wait for them with "
                "`await workflow.wait_condition(workflow.all_handlers_finished)`.",
                ", ".join(names),
            )
