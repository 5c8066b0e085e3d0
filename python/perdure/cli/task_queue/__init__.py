"""`perdure task-queue`: lines, and what those in them wait for."""

from perdure.cli.task_queue._verbs import add

__all__ = ["add"]
