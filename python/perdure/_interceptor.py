"""What users put around the calls of a client and around attempts of activities."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from perdure._workflow_interceptor import WorkflowInterceptor

__all__ = [
    "EndWorkflowCall",
    "ExecuteActivityCall",
    "Interceptor",
    "Next",
    "SendMessageCall",
    "StartWorkflowCall",
    "around",
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
class SendMessageCall:
    """A client's signal, query or update."""

    workflow_id: str
    """The user's name for the run."""
    run_id: str
    """The run; empty for an update that comes with a start."""
    name: str
    """The name of the signal, query or update."""
    arguments: tuple[Any, ...]
    """What its handler is called with."""


@dataclass(frozen=True, slots=True)
class EndWorkflowCall:
    """A client's wish that a run should end."""

    workflow_id: str
    """The user's name for the run."""
    run_id: str
    """The run."""
    reason: str
    """Why, for people; empty when nobody said."""


@dataclass(frozen=True, slots=True)
class ExecuteActivityCall:
    """An attempt of an activity in this process; `activity.info()` has the rest."""

    activity: str
    """The registered name."""
    arguments: tuple[Any, ...]
    """What it is called with."""
    headers: Mapping[str, str]
    """Texts that the run was started with, and those of this call over them."""


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

    async def signal_workflow(
        self, call: SendMessageCall, proceed: Next[SendMessageCall, None]
    ) -> None:
        """Around a client's signal; one that starts its run is a start."""
        await proceed(call)

    async def query_workflow(
        self, call: SendMessageCall, proceed: Next[SendMessageCall, Any]
    ) -> Any:
        """Around a client's query; gives its answer."""
        return await proceed(call)

    async def start_update(self, call: SendMessageCall, proceed: Next[SendMessageCall, Any]) -> Any:
        """Around a client's update until it is accepted, or completed if that is waited for; gives
        its handle.
        """
        return await proceed(call)

    async def cancel_workflow(
        self, call: EndWorkflowCall, proceed: Next[EndWorkflowCall, None]
    ) -> None:
        """Around a client's request that a run cancel itself."""
        await proceed(call)

    async def terminate_workflow(
        self, call: EndWorkflowCall, proceed: Next[EndWorkflowCall, None]
    ) -> None:
        """Around a client's termination of a run."""
        await proceed(call)

    async def execute_activity(
        self, call: ExecuteActivityCall, proceed: Next[ExecuteActivityCall, Any]
    ) -> Any:
        """Around every attempt of an activity in this process; gives its result.

        An activity in a process pool gets the arguments as they were recorded.
        """
        return await proceed(call)

    def workflow_interceptor(self) -> WorkflowInterceptor | None:
        """What stands around the code of one run, made anew for each run and each replay of it.

        None by default: nothing does.
        """
        return None


def around(
    interceptors: Sequence[Any], method: str, innermost: Next[Call, Result]
) -> Next[Call, Result]:
    """A call with that method of all interceptors around it, the first one outermost."""
    proceed = innermost
    for each in reversed(interceptors):
        proceed = partial(getattr(each, method), proceed=proceed)
    return proceed
