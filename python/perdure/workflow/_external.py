"""Other runs, as workflow code reaches them: by signal and by cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perdure import _runtime
from perdure.workflow._message_handler import name_of

__all__ = ["ExternalWorkflowHandle", "get_external_workflow_handle"]


class ExternalWorkflowHandle:
    """A run that this workflow has not started."""

    def __init__(self, workflow_id: str, run_id: str | None) -> None:
        self.id = workflow_id
        """The workflow id."""
        self.run_id = run_id
        """The run; None means whichever is open when the message arrives."""

    async def signal(
        self, signal: str | Callable[..., Any], /, *arguments: Any, args: Sequence[Any] = ()
    ) -> None:
        """Sends a signal; returns when it is durable.

        Args:
            signal: The decorated method, or the signal's name.
            *arguments: Its arguments.
            args: Further arguments; none by default.

        Raises:
            ApplicationError: There is no such open run (`type` is `WorkflowNotFound`).
        """
        runtime = _runtime.require("ExternalWorkflowHandle.signal")
        name = name_of("signal", signal)
        await runtime.children.signal(self.id, self.run_id, name, (*arguments, *args))

    async def cancel(self, *, reason: str = "") -> None:
        """Asks the run to cancel itself; returns when that is durable.

        Args:
            reason: A text for people; empty by default.

        Raises:
            ApplicationError: There is no such open run (`type` is `WorkflowNotFound`).
        """
        runtime = _runtime.require("ExternalWorkflowHandle.cancel")
        await runtime.children.cancel(self.id, self.run_id, reason)


def get_external_workflow_handle(
    workflow_id: str, *, run_id: str | None = None
) -> ExternalWorkflowHandle:
    """A handle on another run, to signal or cancel it.

    Args:
        workflow_id: Its workflow id.
        run_id: The run; whichever is open when a message arrives by default.
    """
    _runtime.require("workflow.get_external_workflow_handle")
    return ExternalWorkflowHandle(workflow_id, run_id)
