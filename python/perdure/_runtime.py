"""What the verbs of workflow code stand on.

`workflow/` and `activity/` know only this protocol; `instance/` implements it and sets it on the
loop that it runs workflow code on. So the running loop is what tells workflow code from any other.
"""

from __future__ import annotations

import random as random_module
import uuid
from asyncio import events
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

if TYPE_CHECKING:
    from perdure.activity._options import ActivityOptions
    from perdure.activity._reference import ActivityReference
    from perdure.search import SearchAttributes
    from perdure.workflow._child_options import ChildOptions
    from perdure.workflow._children import ChildReference, ChildWorkflowHandle
    from perdure.workflow._continue_as_new import ContinueAsNewOptions
    from perdure.workflow._handle import ActivityHandle
    from perdure.workflow._info import Info
    from perdure.workflow._message_handler import MessageHandler, UpdateHandler

__all__ = ["Activities", "Children", "Runtime", "Visibility", "current", "require"]


class Children(Protocol):
    """The children of one run, and its messages to other runs."""

    def execute(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, starts at the first step, gives the result."""
        ...

    def start(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, ChildWorkflowHandle[Any]]:
        """Encodes the arguments now, starts at the first step, gives a handle of what is begun."""
        ...

    async def signal(
        self, workflow_id: str, run_id: str | None, name: str, arguments: tuple[Any, ...]
    ) -> None:
        """Signals another run."""
        ...

    async def cancel(self, workflow_id: str, run_id: str | None, reason: str) -> None:
        """Asks another run to cancel itself."""
        ...


class Visibility(Protocol):
    """What one run is found by, and says of itself."""

    def set_attributes(self, attributes: SearchAttributes) -> None:
        """Changes search attributes; None removes one."""
        ...

    def set_memo(self, entries: Mapping[str, Any]) -> None:
        """Changes the memo; None removes an entry."""
        ...

    def memo(self) -> dict[str, Any]:
        """The memo as it is."""
        ...


class Activities(Protocol):
    """The activities of one run."""

    def call_activity(
        self,
        reference: ActivityReference,
        arguments: tuple[Any, ...],
        options: ActivityOptions,
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, schedules at the first step."""
        ...

    def start_activity(
        self,
        reference: ActivityReference,
        arguments: tuple[Any, ...],
        options: ActivityOptions,
    ) -> ActivityHandle[Any]:
        """Schedules now."""
        ...

    def start_session(
        self, reference: ActivityReference, options: ActivityOptions
    ) -> ActivityHandle[Any]:
        """Schedules what holds a session open: no call of the workflow's, so that no interceptor
        sees it.
        """
        ...


class Runtime(Activities, Protocol):
    """One run, as its own code sees it."""

    @property
    def children(self) -> Children:
        """The run's children, and its messages to other runs."""
        ...

    def wait_condition(
        self, predicate: Callable[[], bool], timeout: timedelta | float | None
    ) -> Awaitable[None]:
        """Resolves once the predicate holds when the loop is idle."""
        ...

    def set_signal_handler(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a signal; the dynamic one without a name."""
        ...

    def set_query_handler(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a query; the dynamic one without a name."""
        ...

    def set_update_handler(self, name: str | None, handler: UpdateHandler | None) -> None:
        """Sets the handler of an update; the dynamic one without a name."""
        ...

    def all_handlers_finished(self) -> bool:
        """Whether no `async` handler is at work."""
        ...

    def patched(self, id: str, deprecated: bool) -> bool:
        """Whether the run takes the new branch of a patch."""
        ...

    def now(self) -> datetime:
        """The run's time, in UTC."""
        ...

    def time_ns(self) -> int:
        """The run's time, in nanoseconds since the Unix epoch."""
        ...

    def random(self, name: str) -> random_module.Random:
        """The run's random stream of that name."""
        ...

    def uuid4(self) -> uuid.UUID:
        """A random UUID of the run's own stream."""
        ...

    def continue_as_new(
        self, workflow: Any, arguments: tuple[Any, ...], options: ContinueAsNewOptions
    ) -> NoReturn:
        """Ends the run, which goes on in another."""
        ...

    def last_failure(self) -> BaseException | None:
        """Why the attempt before this run failed."""
        ...

    def history_size(self) -> tuple[int, int, bool]:
        """How many events and commands the history has so far, how many bytes of values, and
        whether that suggests to continue as new.
        """
        ...

    def info(self) -> Info:
        """What is known of the run."""
        ...

    @property
    def visibility(self) -> Visibility:
        """What the run is found by, and says of itself."""
        ...

    def is_replaying(self) -> bool:
        """Whether recorded history is being delivered."""
        ...

    def unguarded(self) -> AbstractContextManager[None]:
        """A block in which the guards are off."""
        ...


def current() -> Runtime | None:
    """The run whose code is running in this thread, if any."""
    # Every activity call passes here: no call more than needed.
    loop = events._get_running_loop()  # pyright: ignore[reportPrivateUsage]
    runtime: Runtime | None = getattr(loop, "perdure_runtime", None)
    return runtime


def require(verb: str) -> Runtime:
    """The run whose code is running in this thread.

    Raises:
        RuntimeError: No workflow code is running.
    """
    runtime = current()
    if runtime is None:
        raise RuntimeError(f"{verb} works only inside a workflow")
    return runtime
