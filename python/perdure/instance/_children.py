"""A run's children, and its messages to other runs: from calls to commands, and back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from perdure._core import (
    cancel_child,
    cancel_external,
    decode,
    encode,
    signal_external,
    start_child,
)
from perdure.convert import exception_of, shape_of
from perdure.errors import CancelledFailure, ChildWorkflowError
from perdure.instance._sites import current_site
from perdure.spans import optional_microseconds
from perdure.workflow._child_options import ChildWorkflowCancellationType
from perdure.workflow._children import ChildReference
from perdure.workflow._message_handler import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence

    from perdure._core import CallSite, Failure, InstanceCore
    from perdure.instance._loop import WorkflowLoop
    from perdure.workflow._child_options import ChildOptions

__all__ = ["Children"]

_PLAIN: ChildReference[Any] = ChildReference("")


class Children:
    """Who was started and not yet ended, and which messages are not yet answered."""

    def __init__(self, core: InstanceCore, loop: WorkflowLoop, task_queue: str) -> None:
        self._core = core
        self._loop = loop
        self._task_queue = task_queue
        self._open: dict[int, _Child] = {}
        self._asked: dict[int, asyncio.Future[None]] = {}

    def execute(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, Any]:
        """Encodes the arguments now, starts at the first step, gives the result."""
        return self._execute(current_site(), reference, encode(list(arguments)), options)

    def start(
        self, reference: ChildReference[Any], arguments: tuple[Any, ...], options: ChildOptions
    ) -> Coroutine[Any, Any, ChildHandle]:
        """Encodes the arguments now, starts at the first step, gives a handle of what is begun."""
        return self._start(current_site(), reference, encode(list(arguments)), options)

    async def signal(
        self, workflow_id: str, run_id: str | None, name: str, arguments: tuple[Any, ...]
    ) -> None:
        """Signals another run."""
        await self._signal(workflow_id, run_id, None, name, arguments)

    async def cancel(self, workflow_id: str, run_id: str | None, reason: str) -> None:
        """Asks another run to cancel itself."""
        fields = {"workflow_id": workflow_id, "run_id": run_id, "child_n": None, "reason": reason}
        await self._answered(cancel_external(self._core, current_site(), fields))

    def child_started(self, command_n: int) -> None:
        """A child is begun."""
        child = self._open.get(command_n)
        if child is not None and not child.started.done():
            child.started.set_result(None)

    def child_ended(self, command_n: int, result: bytes | None, failure: Failure | None) -> None:
        """A child has ended."""
        child = self._open.pop(command_n, None)
        if child is None:
            return
        if failure is not None:
            error = exception_of(failure)
            for future in (child.started, child.ended):
                if not future.done():
                    future.set_exception(error)
                    # Nobody need look at it: the parent may wait for only one of the two.
                    future.exception()
            return
        if not child.started.done():
            child.started.set_result(None)
        child.ended.set_result(None if result is None else decode(result, child.shape))

    def answered(self, command_n: int, failure: Failure | None) -> None:
        """A message to another run is answered."""
        future = self._asked.pop(command_n, None)
        if future is None or future.done():
            return
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(exception_of(failure))

    def request_cancel(self, child: _Child) -> None:
        """Asks a child to cancel itself, once."""
        if child.cancelled or child.n not in self._open:
            return
        child.cancelled = True
        cancel_child(self._core, child.n)

    async def signal_child(
        self, child: _Child, signal: str | Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        """Signals a child, or the run that goes on for it."""
        name = name_of("signal", signal)
        await self._signal(child.id, child.run_id, child.n, name, arguments)

    async def follow(self, child: _Child) -> Any:
        """Waits for the end of a child; cancelled meanwhile, does what the child's type says."""
        cancellation: asyncio.CancelledError | None = None
        while not child.ended.done():
            try:
                await asyncio.wait([child.ended])
            except asyncio.CancelledError as error:
                if child.type is ChildWorkflowCancellationType.ABANDON:
                    raise
                self.request_cancel(child)
                if child.type is ChildWorkflowCancellationType.TRY_CANCEL:
                    raise
                cancellation = error
        try:
            return child.ended.result()
        except ChildWorkflowError as error:
            if child.cancelled and isinstance(error.cause, CancelledFailure):
                raise (cancellation or asyncio.CancelledError()) from error
            raise

    def _begin(
        self,
        site: CallSite,
        reference: ChildReference[Any],
        arguments: bytes,
        options: ChildOptions,
    ) -> _Child:
        fields = {
            "workflow_id": options.id,
            "workflow_type": reference.name,
            "task_queue": options.task_queue or self._task_queue,
            "arguments": arguments,
            "run_timeout_us": optional_microseconds(options.run_timeout),
            "parent_close_policy": options.parent_close_policy.value,
            "cancellation_type": options.cancellation_type.value,
            "headers": list(options.headers.items()),
            "priority": options.priority.fields(),
        }
        n, run_id, workflow_id = start_child(self._core, site, reference, fields)
        child = self._open[n] = _Child(self._loop, n, run_id, workflow_id, reference, options)
        return child

    async def _execute(
        self,
        site: CallSite,
        reference: ChildReference[Any],
        arguments: bytes,
        options: ChildOptions,
    ) -> Any:
        return await self.follow(self._begin(site, reference, arguments, options))

    async def _start(
        self,
        site: CallSite,
        reference: ChildReference[Any],
        arguments: bytes,
        options: ChildOptions,
    ) -> ChildHandle:
        child = self._begin(site, reference, arguments, options)
        try:
            await asyncio.wait([child.started])
        except asyncio.CancelledError:
            if child.type is not ChildWorkflowCancellationType.ABANDON:
                self.request_cancel(child)
            raise
        child.started.result()
        return ChildHandle(self, child, self._loop.create_task(self.follow(child)))

    async def _signal(
        self,
        workflow_id: str,
        run_id: str | None,
        child_n: int | None,
        name: str,
        arguments: tuple[Any, ...],
    ) -> None:
        fields = {
            "workflow_id": workflow_id,
            "run_id": run_id,
            "child_n": child_n,
            "name": name,
            "arguments": encode(list(arguments)),
        }
        await self._answered(signal_external(self._core, current_site(), _PLAIN, fields))

    async def _answered(self, n: int) -> None:
        future = self._asked[n] = self._loop.create_future()
        await future


class ChildHandle:
    """A child that is begun, as `ChildWorkflowHandle` describes it."""

    def __init__(self, children: Children, child: _Child, task: asyncio.Task[Any]) -> None:
        self._children = children
        self._child = child
        self._task = task

    @property
    def id(self) -> str:
        """The child's workflow id."""
        return self._child.id

    @property
    def run_id(self) -> str:
        """The run that the child began as."""
        return self._child.run_id

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._task.__await__()

    def done(self) -> bool:
        """Whether it has ended."""
        return self._task.done()

    def cancel(self) -> None:
        """Asks the child to cancel itself, by its cancellation type."""
        kind = self._child.type
        if kind is not ChildWorkflowCancellationType.ABANDON:
            self._children.request_cancel(self._child)
        if kind is not ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED:
            self._task.cancel()

    async def signal(
        self, signal: str | Callable[..., Any], /, *arguments: Any, args: Sequence[Any] = ()
    ) -> None:
        """Sends the child a signal; returns when it is durable."""
        await self._children.signal_child(self._child, signal, (*arguments, *args))


class _Child:
    """One child that has not ended."""

    def __init__(
        self,
        loop: WorkflowLoop,
        n: int,
        run_id: str,
        workflow_id: str,
        reference: ChildReference[Any],
        options: ChildOptions,
    ) -> None:
        self.n = n
        self.run_id = run_id
        self.id = workflow_id
        self.shape = shape_of(reference.result_type)
        self.type = options.cancellation_type
        self.cancelled = False
        """Whether this workflow asked it to cancel itself."""
        self.started: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Any] = loop.create_future()
