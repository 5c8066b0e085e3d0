"""How a run leaves its code to go on in another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from perdure._core import encode
from perdure.errors import ContinueAsNew
from perdure.spans import microseconds
from perdure.workflow._definition import definition_of

if TYPE_CHECKING:
    from perdure.workflow._continue_as_new import ContinueAsNewOptions
    from perdure.workflow._definition import WorkflowDefinition

__all__ = ["leaving", "what_is_uncaught"]


def leaving(
    workflow: Any,
    current: WorkflowDefinition[..., Any] | None,
    arguments: tuple[Any, ...],
    options: ContinueAsNewOptions,
) -> ContinueAsNew:
    """What carries the next run out of workflow code; arguments are encoded now.

    Raises:
        TypeError: The workflow is none, or the arguments do not fit it.
        ValueError: The run timeout is not positive.
        EncodeError: An argument cannot travel.
    """
    fields: dict[str, Any] = {}
    if isinstance(workflow, str):
        fields["workflow_type"] = workflow
    else:
        definition = current if workflow is None else definition_of(workflow)
        if definition is not None:
            fields["workflow_type"] = definition.name
            arguments = definition.positional(*arguments)
    if options.task_queue is not None:
        fields["task_queue"] = options.task_queue
    if options.run_timeout is not None:
        if options.run_timeout <= timedelta(0):
            raise ValueError(f"a run timeout is positive, not {options.run_timeout}")
        fields["run_timeout_us"] = microseconds(options.run_timeout)
    if options.memo is not None:
        fields["memo"] = [(key, encode(value)) for key, value in options.memo.items()]
    if options.headers is not None:
        fields["headers"] = list(options.headers.items())
    return ContinueAsNew(encode(list(arguments)), fields)


def what_is_uncaught(error: BaseException) -> BaseException:
    """The error that counts: a group of nothing else is the continuation in it; beside anything
    else in the group, the continuation is dropped, so that no failure is lost.
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    leaves = list(_leaves(group))
    if not any(isinstance(each, ContinueAsNew) for each in leaves):
        return group
    others = [each for each in leaves if not isinstance(each, ContinueAsNew)]
    return BaseExceptionGroup(group.message, others) if others else leaves[0]


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(cast("BaseExceptionGroup[BaseException]", each))
        else:
            yield each
