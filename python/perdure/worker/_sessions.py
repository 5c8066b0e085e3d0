"""The sessions that are open in this process: each is an attempt that lasts and does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perdure.convert import failure_of
from perdure.errors import ApplicationError

if TYPE_CHECKING:
    from perdure._core import ActivityTask

__all__ = ["Sessions"]


class Sessions:
    """A session ends with its workflow, with its worker, or with this process."""

    def __init__(self) -> None:
        self._open: dict[str, ActivityTask] = {}

    def begin(self, task: ActivityTask) -> None:
        """Opens a session."""
        self._open[task.id] = task

    def end(self, task_id: str) -> bool:
        """Its workflow wants it no more, or it took too long; False when it is not open."""
        task = self._open.pop(task_id, None)
        if task is None:
            return False
        task.cancelled()
        return True

    def leave(self, task_queue: str) -> None:
        """The worker of the task queue goes."""
        gone = [each for each in self._open.values() if each.task_queue == task_queue]
        for task in gone:
            del self._open[task.id]
            error = ApplicationError("its worker was shut down", type="WorkerShutdown")
            task.fail(failure_of(error))
