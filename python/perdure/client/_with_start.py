"""Messages that start the run they are for, unless it is open already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from perdure.errors import RunClosedError, WorkflowAlreadyStartedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from perdure.client._handle import WorkflowHandle

__all__ = ["tell"]

Told = TypeVar("Told")


async def tell(
    start: Callable[[], Awaitable[WorkflowHandle[Any]]],
    handle_of: Callable[[str, str], WorkflowHandle[Any]],
    send: Callable[[WorkflowHandle[Any], bool], Awaitable[Told]],
) -> Told:
    """Sends something to the run that this starts, or to the open one of its id.

    `send` is told whether the run is new.
    """
    while True:
        is_new = True
        try:
            handle = await start()
        except WorkflowAlreadyStartedError as error:
            if not error.is_open:
                raise
            is_new = False
            handle = handle_of(error.workflow_id, error.run_id)
        try:
            return await send(handle, is_new)
        except RunClosedError:
            # It closed meanwhile, so that its id is free for another start.
            if is_new:
                raise
