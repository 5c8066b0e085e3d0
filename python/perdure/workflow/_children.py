"""The verbs for child workflows."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack, overload

from perdure import _runtime
from perdure.priority import Priority
from perdure.workflow._child_options import (
    ChildOptions,
    ChildWorkflowCancellationType,
    ParentClosePolicy,
)
from perdure.workflow._definition import WorkflowDefinition, definition_of

__all__ = [
    "ChildOptionsFields",
    "ChildReference",
    "ChildWorkflowHandle",
    "execute_child_workflow",
    "start_child_workflow",
]

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)


class ChildOptionsFields(TypedDict, total=False):
    """The fields of `ChildOptions` as keyword arguments."""

    id: str | None
    task_queue: str | None
    run_timeout: timedelta | None
    parent_close_policy: ParentClosePolicy
    cancellation_type: ChildWorkflowCancellationType
    headers: Mapping[str, str]
    priority: Priority


class ChildReference(Generic[Result]):
    """Which workflow a child is, and what its values are."""

    def __init__(
        self, name: str, parameter_types: tuple[Any, ...] = (), result_type: Any = Any
    ) -> None:
        self.name = name
        self.parameter_types = parameter_types
        self.result_type = result_type


class ChildWorkflowHandle(Protocol[Result_co]):
    """A child that is begun: await it for its result."""

    @property
    def id(self) -> str:
        """The child's workflow id."""
        ...

    @property
    def run_id(self) -> str:
        """The run that the child began as."""
        ...

    def __await__(self) -> Generator[Any, Any, Result_co]: ...

    def done(self) -> bool:
        """Whether it has ended."""
        ...

    def cancel(self) -> None:
        """Asks the child to cancel itself, by its `cancellation_type`.

        Whoever awaits the handle then gets `asyncio.CancelledError`, unless the child ends
        otherwise.
        """
        ...

    async def signal(
        self, signal: str | Callable[..., Any], /, *arguments: Any, args: Sequence[Any] = ()
    ) -> None:
        """Sends the child a signal; returns when it is durable.

        Args:
            signal: The decorated method, or the signal's name.
            *arguments: Its arguments.
            args: Further arguments; none by default.

        Raises:
            ApplicationError: The child is closed (`type` is `WorkflowNotFound`).
        """
        ...


@overload
def execute_child_workflow(
    workflow: WorkflowDefinition[..., Result],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_child_workflow(
    workflow: Callable[..., Coroutine[Any, Any, Result]],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, Result]: ...
@overload
def execute_child_workflow(
    workflow: str | type,
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    result_type: Any = Any,
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, Any]: ...
def execute_child_workflow(
    workflow: Any,
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    result_type: Any = Any,
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, Any]:
    """Runs another workflow as a child, and gives its result.

    Args:
        workflow: A workflow function, a class's run method, or a registered name.
        *arguments: Its arguments.
        args: Further arguments; none by default.
        result_type: With a name: what the result is decoded as; plain values by default.
        **options: As in `ChildOptions`: `id`, `task_queue`, `run_timeout`,
            `parent_close_policy`, `cancellation_type`, `headers`, `priority`.

    Raises:
        ChildWorkflowError: It did not complete, or its id is taken; `cause` says why.
        asyncio.CancelledError: This workflow cancelled it.
    """
    runtime = _runtime.require("workflow.execute_child_workflow")
    reference, positional = _call_of(workflow, (*arguments, *args), result_type)
    return runtime.children.execute(reference, positional, ChildOptions(**options))


@overload
def start_child_workflow(
    workflow: WorkflowDefinition[..., Result],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, ChildWorkflowHandle[Result]]: ...
@overload
def start_child_workflow(
    workflow: Callable[..., Coroutine[Any, Any, Result]],
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, ChildWorkflowHandle[Result]]: ...
@overload
def start_child_workflow(
    workflow: str | type,
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    result_type: Any = Any,
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, ChildWorkflowHandle[Any]]: ...
def start_child_workflow(
    workflow: Any,
    /,
    *arguments: Any,
    args: Sequence[Any] = (),
    result_type: Any = Any,
    **options: Unpack[ChildOptionsFields],
) -> Coroutine[Any, Any, ChildWorkflowHandle[Any]]:
    """Starts another workflow as a child; awaited, gives a handle once the child is begun.

    Args and options as `execute_child_workflow`.

    Raises:
        ChildWorkflowError: Its id is taken.
        asyncio.CancelledError: This workflow is being cancelled.
    """
    runtime = _runtime.require("workflow.start_child_workflow")
    reference, positional = _call_of(workflow, (*arguments, *args), result_type)
    return runtime.children.start(reference, positional, ChildOptions(**options))


def _call_of(
    workflow: Any, arguments: tuple[Any, ...], result_type: Any
) -> tuple[ChildReference[Any], tuple[Any, ...]]:
    if isinstance(workflow, str):
        return ChildReference(workflow, (), result_type), arguments
    definition = definition_of(workflow)
    reference: ChildReference[Any] = ChildReference(
        definition.name, definition.parameter_types, definition.result_type
    )
    return reference, definition.positional(*arguments)
