"""One workflow instance: the user's objects, the verbs behind `perdure.workflow`, and its end."""

from __future__ import annotations

import asyncio
import types
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn, cast

from perdure._core import InstanceCore, decode, encode
from perdure.activity._options import ActivityCancellationType
from perdure.convert import decode_arguments, exception_of, failure_of, shape_of
from perdure.errors import (
    ActivityError,
    CancelledFailure,
    ContinueAsNew,
    FailureError,
    UnknownWorkflowError,
)
from perdure.instance._around import InterceptedRuntime, main_around, overriding
from perdure.instance._children import Children
from perdure.instance._conditions import Conditions
from perdure.instance._continuation import leaving, what_is_uncaught
from perdure.instance._eviction import evict
from perdure.instance._guard import unguarded
from perdure.instance._handlers import Handlers
from perdure.instance._loop import WorkflowLoop
from perdure.instance._plans import plan_of
from perdure.instance._random import RandomStreams
from perdure.instance._sites import current_site
from perdure.instance._uncaught import is_failure
from perdure.instance._visibility import Visibility
from perdure.workflow._info import Info, ParentInfo
from perdure.workflow._logger import logger

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Coroutine
    from typing import TypeAlias

    from perdure._core import ActivityPlan, CallSite, Failure
    from perdure._workflow_interceptor import WorkflowInterceptor
    from perdure.activity._options import ActivityOptions
    from perdure.activity._reference import ActivityReference
    from perdure.workflow._continue_as_new import ContinueAsNewOptions
    from perdure.workflow._definition import WorkflowDefinition
    from perdure.workflow._handle import ActivityHandle
    from perdure.workflow._message_handler import MessageHandler, UpdateHandler

    FindWorkflow: TypeAlias = Callable[[str, str], WorkflowDefinition[..., Any] | None]
    """The workflow of a task queue, by its registered name."""

__all__ = ["Instance"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instance(InstanceCore):
    """A live run of a workflow, on a loop of its own.

    The native half delivers activations and takes commands. It calls the methods that begin with
    one underscore; user code reaches the others through `perdure.workflow`.
    """

    def __init__(self, find_workflow: FindWorkflow, run_id: str, now_us: int) -> None:
        self.run_id = run_id
        self.workflow_type = ""
        """The registered name; known once the run has begun."""
        self._find_workflow = find_workflow
        self.definition: WorkflowDefinition[..., Any] | None = None
        """The workflow; known once the run has begun."""
        self.loop = WorkflowLoop(cast("Any", self), now_us)  # type: ignore[abstract]
        self.loop.perdure_runtime = self
        self.set_loop(self.loop)
        self.conditions = Conditions(self.set_conditions)
        self.handlers = Handlers(self.loop, self, raised=self._raised, stop=self._stop)
        self.visibility = Visibility(self)
        self.bug: BaseException | None = None
        """What parks the run: an error of its code that is no failure."""
        self._main: asyncio.Task[Any] | None = None
        self._cancel_requested = False

    def start_activity(
        self, reference: ActivityReference, arguments: tuple[Any, ...], options: ActivityOptions
    ) -> ActivityHandle[Any]:
        """Schedules at once; the task completes with the activity."""
        call = self.call_plan(plan_of(reference, options), arguments)
        if options.cancellation_type is ActivityCancellationType.WAIT_CANCELLATION_COMPLETED:
            return self.loop.create_task(_waiting_for_the_worker(call))
        return self.loop.create_task(_follow(call, call.send(None)))

    def start_session(
        self, reference: ActivityReference, options: ActivityOptions
    ) -> ActivityHandle[Any]:
        """Schedules what holds a session open; interceptors stand around `start_activity`."""
        return self.start_activity(reference, (), options)

    @property
    def children(self) -> Children:
        """The run's children, and its messages to other runs."""
        return self._children

    def wait_condition(
        self, predicate: Callable[[], bool], timeout: timedelta | float | None
    ) -> Awaitable[None]:
        """Waits until the predicate holds when the loop is idle."""
        seconds = timeout.total_seconds() if isinstance(timeout, timedelta) else timeout
        return asyncio.wait_for(self.conditions.wait(predicate), seconds)

    def set_signal_handler(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a signal, or the dynamic one."""
        self.handlers.signals.set(name, handler)

    def set_query_handler(self, name: str | None, handler: MessageHandler | None) -> None:
        """Sets the handler of a query, or the dynamic one."""
        self.handlers.queries.set(name, handler)

    def set_update_handler(self, name: str | None, handler: UpdateHandler | None) -> None:
        """Sets the handler of an update, or the dynamic one."""
        self.handlers.updates.set(name, handler)

    def all_handlers_finished(self) -> bool:
        """Whether no `async` handler is at work."""
        return self.handlers.at_work.are_finished

    def now(self) -> datetime:
        """The run's time, in UTC."""
        return _EPOCH + timedelta(microseconds=self.now_us)

    def time_ns(self) -> int:
        """The run's time, in nanoseconds since the Unix epoch."""
        return self.now_us * 1_000

    def random(self, name: str) -> random.Random:
        """The run's random stream of that name."""
        return cast("RandomStreams", self.loop.random_streams).stream("workflow.random", name)

    def uuid4(self) -> uuid.UUID:
        """A random UUID of the run's own stream."""
        stream = cast("RandomStreams", self.loop.random_streams).caller_stream("uuid4")
        return uuid.UUID(bytes=stream.randbytes(16), version=4)

    def info(self) -> Info:
        """What is known of the run."""
        return self.visibility.info()

    def continue_as_new(
        self, workflow: Any, arguments: tuple[Any, ...], options: ContinueAsNewOptions
    ) -> NoReturn:
        """Ends the run, which goes on in another."""
        following = leaving(workflow, self.definition, arguments, options)
        self.visibility.carry_over(following.options)
        raise following

    def last_failure(self) -> BaseException | None:
        """Why the attempt before this run failed."""
        failure = self.failure_before()
        return None if failure is None else exception_of(failure)

    def unguarded(self) -> AbstractContextManager[None]:
        """A block in which the guards are off."""
        return unguarded()

    def evict(self) -> None:
        """Closes the coroutines and lets go of everything; only committed state may be evicted."""
        evict(self.loop)
        self.release()
        vars(self).clear()

    def _begin(self, started: dict[str, Any]) -> None:
        self.workflow_type = started["workflow_type"]
        definition = self._find_workflow(started["task_queue"], self.workflow_type)
        self.definition = definition
        if definition is None:
            raise UnknownWorkflowError(self.workflow_type)
        run_timeout_us = started["run_timeout_us"]
        info = Info(
            workflow_id=started["workflow_id"],
            run_id=started["run_id"],
            workflow_type=started["workflow_type"],
            namespace=started["namespace"],
            task_queue=started["task_queue"],
            start_time=self.now(),
            run_timeout=run_timeout_us and timedelta(microseconds=run_timeout_us),
            headers=dict(started["headers"]),
            continued_run_id=started["continued_run_id"],
            parent=started["parent"] and ParentInfo(*started["parent"]),
            attempt=started["attempt"],
        )
        self._children = self._new_children(started["task_queue"])
        self.visibility.begin(started, info)
        self.loop.random_streams = RandomStreams(str(started["seed"]))
        arguments = decode_arguments(definition.parameter_types, started["arguments"])
        interceptors = self._intercept(definition)
        instance, run = definition.begin()
        if definition.cls is not None:
            self.handlers.bind(instance)
        if started["signal"] is not None:
            self._signal(*started["signal"])
        main = main_around(interceptors, self.workflow_type, run)
        self._main = self.loop.create_task(main(*arguments))
        self._main.add_done_callback(self._ended)

    def _new_children(self, task_queue: str) -> Children:
        return Children(self, self.loop, task_queue)

    def _intercept(
        self, definition: WorkflowDefinition[..., Any]
    ) -> tuple[WorkflowInterceptor, ...]:
        """Puts the workflow's interceptors around handlers and verbs; gives them."""
        made = (each.workflow_interceptor() for each in definition.interceptors)
        interceptors = tuple(each for each in made if each is not None)
        if interceptors:
            if overriding(interceptors, "schedule_activity"):
                self.observe_calls()
            self.handlers.intercept(interceptors)
            self.loop.perdure_runtime = InterceptedRuntime(self, interceptors)
        return interceptors

    def _reset(self, run_id: str, workflow_id: str, seed: str | None) -> None:
        """All before was copied from another run."""
        self.visibility.rename(run_id, workflow_id)
        if seed is not None:
            cast("RandomStreams", self.loop.random_streams).begin_again(seed)

    def _ended(self, main: asyncio.Task[Any]) -> None:
        if main.cancelled():
            if self._cancel_requested:
                self.end_cancelled()
            else:
                # The workflow cancelled its own main task, which is a way to fail.
                self.fail(failure_of(FailureError("the workflow cancelled itself")))
            return
        error = main.exception()
        if error is None:
            self._complete(main.result())
        else:
            self._raised(error)

    def _raised(self, error: BaseException) -> None:
        """What nobody caught: a failure ends the run, a bug parks it."""
        error = what_is_uncaught(error)
        if isinstance(error, ContinueAsNew):
            self.handlers.at_work.warn_of_unfinished()
            self.close_as_new(error.arguments, error.options)
        elif is_failure(error):
            self.handlers.at_work.warn_of_unfinished()
            self.fail(failure_of(error))
        else:
            self._stop(error)

    def _stop(self, bug: BaseException) -> None:
        self.bug = bug
        self.stop()

    def _complete(self, result: Any) -> None:
        try:
            data = encode(result)
        except Exception as error:
            self._stop(error)
            return
        self.handlers.at_work.warn_of_unfinished()
        self.complete(data)

    def _request_cancel(self, reason: str) -> None:
        self._cancel_requested = True
        if self._main is not None:
            self._main.cancel(reason or None)

    def _signal(self, name: str, arguments: bytes) -> None:
        self.handlers.signals.deliver(name, arguments)

    def _update(self, event_n: int, name: str, arguments: bytes) -> None:
        is_live = not self.is_replaying()
        self.handlers.updates.deliver(event_n, name, arguments, is_live=is_live)

    def _child_started(self, command_n: int) -> None:
        self._children.child_started(command_n)

    def _child_ended(self, command_n: int, result: bytes | None, failure: Failure | None) -> None:
        self._children.child_ended(command_n, result, failure)

    def _external_answered(self, command_n: int, failure: Failure | None) -> None:
        self._children.answered(command_n, failure)

    def _resolve_conditions(self) -> bool:
        return self.conditions.resolve()

    def _plan(self, reference: ActivityReference, options: ActivityOptions) -> ActivityPlan:
        return plan_of(reference, options)

    def _waiting_for_the_worker(self, call: Any) -> Coroutine[Any, Any, Any]:
        return _waiting_for_the_worker(call)

    def _site(self) -> CallSite:
        return current_site()

    def _exception_of(self, failure: Failure, reference: ActivityReference) -> BaseException:
        return exception_of(failure, reference.errors)

    def _arguments_agree(self, reference: ActivityReference, recorded: bytes, asked: bytes) -> bool:
        """Whether both decode to the same values with today's types."""
        hint: Any = types.GenericAlias(tuple, tuple(reference.parameter_types))
        return _same_values(recorded, asked, hint if reference.parameter_types else list[Any])

    def _continuation_agrees(self, workflow_type: str, recorded: bytes, asked: bytes) -> bool:
        definition = self.definition
        known = definition is not None and definition.name == workflow_type
        types_ = definition.parameter_types if definition is not None and known else ()
        hint: Any = types.GenericAlias(tuple, tuple(types_)) if types_ else list[Any]
        return _same_values(recorded, asked, hint)

    def _warn_of_length(self, length: int, value_bytes: int) -> None:
        logger.warning(
            "the history has %d records and %d bytes of values by now, which cost time and memory "
            "to replay: continue as new (`workflow.info().is_continue_as_new_suggested()` tells "
            "when).",
            length,
            value_bytes,
        )

    def _result_agrees(self, recorded: bytes, asked: bytes) -> bool:
        hint = Any if self.definition is None else self.definition.result_type
        return _same_values(recorded, asked, hint)

    def _update_result_agrees(self, recorded: bytes, asked: bytes, hint: Any) -> bool:
        return _same_values(recorded, asked, hint)


def _same_values(recorded: bytes, asked: bytes, hint: Any) -> bool:
    try:
        shape = shape_of(hint)
        return bool(decode(recorded, shape) == decode(asked, shape))
    except Exception:
        return False


async def _follow(call: Any, future: asyncio.Future[Any]) -> Any:
    """The rest of a call that is scheduled already."""
    try:
        await asyncio.wait([future])
    except asyncio.CancelledError as error:
        call.throw(error)
    return await _resumed(call)


async def _resumed(call: Any) -> Any:
    """The result of a call whose first step somebody else has made."""
    try:
        call.send(None)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("the call went on after its result")


async def _waiting_for_the_worker(call: Any) -> Any:
    """A call whose cancellation is told to the worker, and that waits for what it answers."""
    future: asyncio.Future[Any] = call.send(None)
    cancellation: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            if cancellation is None:
                call.request_cancel()
            cancellation = error
    try:
        return await _resumed(call)
    except ActivityError as error:
        if cancellation is not None and isinstance(error.cause, CancelledFailure):
            raise cancellation from error
        raise
