"""What users put around the code of a run: main coroutine, handlers, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from perdure._interceptor import Next
    from perdure.activity._options import ActivityOptions
    from perdure.workflow._child_options import ChildOptions

__all__ = [
    "ExecuteWorkflowCall",
    "HandleMessageCall",
    "ScheduleActivityCall",
    "StartChildWorkflowCall",
    "WorkflowInterceptor",
]


@dataclass(frozen=True, slots=True)
class ExecuteWorkflowCall:
    """A run's main coroutine; `workflow.info()` has the rest."""

    workflow_type: str
    """The registered name."""
    arguments: tuple[Any, ...]
    """What it is called with."""


@dataclass(frozen=True, slots=True)
class HandleMessageCall:
    """The handler of a signal, query or update."""

    name: str
    """The message's name."""
    arguments: tuple[Any, ...]
    """What the handler is called with; a dynamic one gets name and list of arguments."""


@dataclass(frozen=True, slots=True)
class ScheduleActivityCall:
    """A workflow's call of an activity."""

    activity: str
    """The registered name."""
    service: str | None
    """The service that hosts it; None for one of a task queue."""
    arguments: tuple[Any, ...]
    """What it is called with. Replay compares it."""
    headers: Mapping[str, str]
    """Texts that travel along with this call, over those of the run."""
    options: ActivityOptions
    """How it is run."""


@dataclass(frozen=True, slots=True)
class StartChildWorkflowCall:
    """A workflow's start of a child."""

    workflow_type: str
    """The registered name."""
    arguments: tuple[Any, ...]
    """What it is called with. Replay compares it."""
    headers: Mapping[str, str]
    """Texts that travel along."""
    options: ChildOptions
    """How it is run."""


class WorkflowInterceptor:
    """Stands around the code of one run.

    It is workflow code itself: deterministic, and run again on replay. A method that is not
    overridden changes nothing, not even the order in which things happen.
    """

    async def execute_workflow(
        self, call: ExecuteWorkflowCall, proceed: Next[ExecuteWorkflowCall, Any]
    ) -> Any:
        """Around the main coroutine, which `__init__` goes before; gives its result."""
        return await proceed(call)

    async def handle_signal(
        self, call: HandleMessageCall, proceed: Next[HandleMessageCall, Any]
    ) -> Any:
        """Around a signal's handler, which is then a task even if it is no coroutine."""
        return await proceed(call)

    async def handle_update(
        self, call: HandleMessageCall, proceed: Next[HandleMessageCall, Any]
    ) -> Any:
        """Around an update's handler once it is accepted; gives its result."""
        return await proceed(call)

    def handle_query(
        self, call: HandleMessageCall, proceed: Callable[[HandleMessageCall], Any]
    ) -> Any:
        """Around a query's handler; gives its answer."""
        return proceed(call)

    def schedule_activity(self, call: ScheduleActivityCall) -> ScheduleActivityCall:
        """Gives the call of an activity as it is to be made."""
        return call

    def start_child_workflow(self, call: StartChildWorkflowCall) -> StartChildWorkflowCall:
        """Gives the start of a child as it is to be made."""
        return call
