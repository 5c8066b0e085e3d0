"""What users put around starts of workflows and attempts of activities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

__all__ = [
    "ExecuteActivityCall",
    "Interceptor",
    "StartWorkflowCall",
    "around_activity",
    "around_start",
]


@dataclass(frozen=True, slots=True)
class StartWorkflowCall:
    """A client's start of a run."""

    workflow_type: str
    """The workflow's registered name."""
    workflow_id: str
    """The user's name for the run."""
    task_queue: str
    """Who serves it."""
    arguments: tuple[Any, ...]
    """What it is called with."""
    headers: Mapping[str, str]
    """Texts that travel along, to every activity of the run."""


@dataclass(frozen=True, slots=True)
class ExecuteActivityCall:
    """An attempt of an activity in this process; `activity.info()` has the rest."""

    activity: str
    """The registered name."""
    arguments: tuple[Any, ...]
    """What it is called with."""
    headers: Mapping[str, str]
    """Texts that the run was started with."""


Call = TypeVar("Call")
Result = TypeVar("Result")
Next: TypeAlias = Callable[[Call], Awaitable[Result]]
"""Goes on, to the next interceptor or to the thing itself."""


class Interceptor:
    """Stands around calls. A method does what it likes before and after `await proceed(call)`.

    To change a call, proceed with another: `proceed(dataclasses.replace(call, headers=…))`.
    """

    async def start_workflow(
        self, call: StartWorkflowCall, proceed: Next[StartWorkflowCall, str]
    ) -> str:
        """Around a client's start of a run; gives the run id."""
        return await proceed(call)

    async def execute_activity(
        self, call: ExecuteActivityCall, proceed: Next[ExecuteActivityCall, Any]
    ) -> Any:
        """Around every attempt of an activity in this process; gives its result.

        An activity in a process pool gets the arguments as they were recorded.
        """
        return await proceed(call)


def around_start(
    interceptors: Sequence[Interceptor], innermost: Next[StartWorkflowCall, str]
) -> Next[StartWorkflowCall, str]:
    """A start with the interceptors around it, the first one outermost."""
    proceed = innermost
    for each in reversed(interceptors):
        proceed = partial(each.start_workflow, proceed=proceed)
    return proceed


def around_activity(
    interceptors: Sequence[Interceptor], innermost: Next[ExecuteActivityCall, Any]
) -> Next[ExecuteActivityCall, Any]:
    """An attempt with the interceptors around it, the first one outermost."""
    proceed = innermost
    for each in reversed(interceptors):
        proceed = partial(each.execute_activity, proceed=proceed)
    return proceed
