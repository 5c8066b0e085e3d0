"""Sessions: activities that run in one and the same worker."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self, TypeVar, Unpack, cast, overload

from perdure import _runtime
from perdure.activity._definition import ActivityDefinition
from perdure.activity._options import (
    ActivityCancellationType,
    ActivityOptions,
    SessionActivityOptionsFields,
)
from perdure.activity._reference import ActivityReference
from perdure.errors import ActivityError, SessionFailedError
from perdure.retry import RetryPolicy
from perdure.workflow._handle import ActivityHandle

__all__ = ["Session", "session"]

Result = TypeVar("Result")

_WAITS = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED

_SESSION = ActivityReference("perdure.session")
"""What holds a session open: an attempt that lasts as long as it does."""


class Session:
    """A session, used with `async with`; see `session`."""

    def __init__(self, options: ActivityOptions) -> None:
        self._options = options
        self._holder: ActivityHandle[Any] | None = None
        self._number = 0

    async def __aenter__(self) -> Self:
        runtime = _runtime.require("workflow.session")
        self._holder = runtime.start_session(_SESSION, self._options)
        # Its command is the last record so far.
        self._number = runtime.history_size()[0]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        holder = self._holder
        if holder is None:
            return
        self._holder = None
        holder.cancel()
        await asyncio.wait([holder])
        if not holder.cancelled():
            # Nobody need look at it: whoever waited has heard of it.
            holder.exception()

    @property
    def is_open(self) -> bool:
        """Whether it can take activities, as far as the workflow knows."""
        return self._holder is not None and not self._holder.done()

    @overload
    def execute_activity(
        self,
        activity: Callable[..., Coroutine[Any, Any, Result]],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[SessionActivityOptionsFields],
    ) -> Coroutine[Any, Any, Result]: ...
    @overload
    def execute_activity(
        self,
        activity: str,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[SessionActivityOptionsFields],
    ) -> Coroutine[Any, Any, Any]: ...
    def execute_activity(
        self,
        activity: Callable[..., Any] | str,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[SessionActivityOptionsFields],
    ) -> Coroutine[Any, Any, Any]:
        """Runs an activity in the session's worker and gives its result.

        Args:
            activity: An activity, or its name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            **options: As in `ActivityOptions`, but for the task queue, which is the session's.

        Raises:
            ActivityError: It failed for good.
            SessionFailedError: The session's worker is gone, or its time is up.
            RuntimeError: The session is over.
            TypeError: It is no activity, belongs to a service, or a task queue is given.
        """
        holder = self._holder
        if holder is None:
            raise RuntimeError("the session is over: use it inside its `async with`")
        if holder.done():
            raise self._failed(holder)
        runtime = _runtime.require("session.execute_activity")
        reference = _reference(activity)
        if "task_queue" in options:
            raise TypeError(
                "task_queue is no option of a call inside a session, whose worker runs it: give it "
                "to workflow.session()"
            )
        chosen = replace(
            reference.options.with_fields(options),
            task_queue=self._options.task_queue,
            session=self._number,
        )
        call = runtime.call_activity(reference, (*arguments, *args), chosen)
        return self._beside(holder, call, chosen.cancellation_type)

    async def _beside(
        self,
        holder: ActivityHandle[Any],
        call: Coroutine[Any, Any, Any],
        cancellation_type: ActivityCancellationType,
    ) -> Any:
        work = asyncio.ensure_future(call)
        try:
            await asyncio.wait([work, holder], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _end(work)
            if cancellation_type is not _WAITS or work.cancelled():
                raise
            # As outside of a session: the worker was waited for, and this is its answer.
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait([work])
        raise self._failed(holder)

    def _failed(self, holder: ActivityHandle[Any]) -> SessionFailedError:
        cause = None if holder.cancelled() else holder.exception()
        why = cause.cause if isinstance(cause, ActivityError) else cause
        error = SessionFailedError(f"the session has failed: {why or 'it was ended'}")
        error.__cause__ = cause
        return error


def session(
    *,
    task_queue: str | None = None,
    execution_timeout: timedelta | None = None,
    creation_timeout: timedelta | None = None,
) -> Session:
    """Activities that run in one and the same worker process.

    ```python
    async with workflow.session() as session:
        path = await session.execute_activity(download, url)
        return await session.execute_activity(convert, path)
    ```

    When that process dies, what waits in the session raises `SessionFailedError`, and nothing of it
    is tried again elsewhere.

    Args:
        task_queue: Whose worker; the run's own by default.
        execution_timeout: The longest it may last from when it has begun; no limit by default.
        creation_timeout: How long it may wait for room; no limit by default.
    """
    options = ActivityOptions(
        task_queue=task_queue,
        schedule_to_start_timeout=creation_timeout,
        start_to_close_timeout=execution_timeout,
        retry_policy=RetryPolicy(maximum_attempts=1),
        session=0,
    )
    return Session(options)


async def _end(work: asyncio.Future[Any]) -> None:
    """Cancels a call and waits for its end, also when that is asked for again meanwhile."""
    work.cancel()
    while not work.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([work])


def _reference(activity: Callable[..., Any] | str) -> ActivityReference:
    if isinstance(activity, str):
        return ActivityReference(activity)
    if not isinstance(activity, ActivityDefinition):
        raise TypeError(f"{activity!r} is no activity: decorate it with @activity.defn")
    definition = cast("ActivityDefinition[..., Any]", activity)
    if definition.reference.service is not None:
        raise TypeError(
            f"{activity!r} belongs to a service, whose workers have no address of their own: a "
            "session takes activities of this process"
        )
    return definition.reference
