"""What a host has taken from its engine and not yet begun, so that a slice can end on time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure._core import ActivityTask, Turn, Work
    from perdure.instance._instance import Instance

__all__ = ["Backlog"]


class Backlog:
    """Turns to step and activities to start, in the order of the engine."""

    def __init__(self) -> None:
        self.turns: deque[Turn] = deque()
        self.stepping: tuple[Turn, Instance] | None = None
        """The turn that the last slice did not finish."""
        self.tasks: deque[ActivityTask] = deque()

    def __bool__(self) -> bool:
        return bool(self.stepping or self.turns or self.tasks)

    def take(self, work: Work) -> None:
        """Takes the turns and activities that a pump has left."""
        self.turns.extend(work.turns())
        self.tasks.extend(work.tasks())

    def withdraw(self, task_id: str) -> ActivityTask | None:
        """Takes back an activity that has not begun."""
        for task in self.tasks:
            if task.id == task_id:
                self.tasks.remove(task)
                return task
        return None

    def clear(self) -> None:
        """Forgets everything: the engine hands it out again, or nobody wants it any more."""
        self.turns.clear()
        self.stepping = None
        self.tasks.clear()
