"""The same verbs for code that is not async, over an asyncio loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any, Generic, ParamSpec, Self, TypeVar, Unpack, cast, overload

from perdure._interceptor import Interceptor
from perdure.client._async_activity import AsyncActivityHandle
from perdure.client._client import Client
from perdure.client._handle import PendingActivity, WorkflowDescription, WorkflowHandle
from perdure.client._patches import PatchUsage
from perdure.client._reset import ResetPoint
from perdure.client._start_options import StartOptionsFields
from perdure.client._sync_deployments import SyncWorkerDeployments
from perdure.client._task_queues import TaskQueueDescription
from perdure.client._updates import UpdateStage, WorkflowUpdateHandle
from perdure.converter import DataConverter
from perdure.versioning import VersioningBehavior, WorkerDeploymentVersion
from perdure.workflow._definition import WorkflowDefinition

__all__ = [
    "LoopThread",
    "SyncAsyncActivityHandle",
    "SyncClient",
    "SyncWorkflowHandle",
    "SyncWorkflowUpdateHandle",
]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Answered = TypeVar("Answered")


class LoopThread:
    """An asyncio loop that runs in the background until it is stopped."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="perdure-client", daemon=True
        )
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Runs a coroutine there and waits for it here; an interrupt here cancels it there."""
        if self._loop.is_closed():
            coroutine.close()
            raise RuntimeError("this client is closed: connect another one")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Ends the loop and its thread. Safe to call twice."""
        if self._loop.is_closed():
            return
        self.call(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class SyncWorkflowUpdateHandle(Generic[Result]):
    """An update whose result can be waited for; see `WorkflowUpdateHandle`."""

    def __init__(self, handle: WorkflowUpdateHandle[Result], loop: LoopThread) -> None:
        self.id = handle.id
        self.run_id = handle.run_id
        self._handle = handle
        self._loop = loop

    def result(self) -> Result:
        """Waits until the handler has ended, and gives what it returned."""
        return self._loop.call(self._handle.result())

    def __repr__(self) -> str:
        return repr(self._handle)


class SyncWorkflowHandle(Generic[Result]):
    """A run to wait for, look at, ask, signal, cancel or terminate; see `WorkflowHandle`."""

    def __init__(self, handle: WorkflowHandle[Result], loop: LoopThread) -> None:
        self.id = handle.id
        self.run_id = handle.run_id
        self._handle = handle
        self._loop = loop

    def result(self, *, follow_runs: bool = True) -> Result:
        """Waits until the run closes, and gives what it returned. See `WorkflowHandle.result`."""
        return self._loop.call(self._handle.result(follow_runs=follow_runs))

    def describe(self) -> WorkflowDescription:
        """What can be known of the run without its history."""
        return self._loop.call(self._handle.describe())

    def pending_activities(self) -> list[PendingActivity]:
        """What the run waits for, and why it is not running."""
        return self._loop.call(self._handle.pending_activities())

    def signal(
        self, signal: str | Callable[..., Any], /, *arguments: Any, args: Sequence[Any] = ()
    ) -> None:
        """Sends a signal; returns when it is durable. See `WorkflowHandle.signal`."""
        self._loop.call(self._handle.signal(signal, *arguments, args=args))

    def query(
        self,
        query: str | Callable[..., Answered],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        result_type: Any = Any,
    ) -> Answered:
        """Asks about the run's state. See `WorkflowHandle.query`."""
        asked: Any = self._handle.query
        answer = asked(query, *arguments, args=args, result_type=result_type)
        return cast("Answered", self._loop.call(answer))

    def execute_update(
        self,
        update: str | Callable[..., Any],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        result_type: Any = Any,
    ) -> Any:
        """Sends an update, and waits for its result. See `WorkflowHandle.execute_update`."""
        sent: Any = self._handle.execute_update
        return self._loop.call(sent(update, *arguments, args=args, id=id, result_type=result_type))

    def start_update(
        self,
        update: str | Callable[..., Any],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        wait_for_stage: UpdateStage = "accepted",
        result_type: Any = Any,
    ) -> SyncWorkflowUpdateHandle[Any]:
        """Sends an update, and returns when it is accepted. See `WorkflowHandle.start_update`."""
        sent = self._handle.start_update(
            update,
            *arguments,
            args=args,
            id=id,
            wait_for_stage=wait_for_stage,
            result_type=result_type,
        )
        return SyncWorkflowUpdateHandle(self._loop.call(sent), self._loop)

    def get_update_handle(
        self, id: str, *, result_type: Any = Any
    ) -> SyncWorkflowUpdateHandle[Any]:
        """The handle of an update that was sent. See `WorkflowHandle.get_update_handle`."""
        found = self._handle.get_update_handle(id, result_type=result_type)
        return SyncWorkflowUpdateHandle(found, self._loop)

    def cancel(self, reason: str = "") -> None:
        """Asks the run to cancel itself; its code may clean up."""
        self._loop.call(self._handle.cancel(reason))

    def terminate(self, reason: str = "") -> None:
        """Ends the run without running its code."""
        self._loop.call(self._handle.terminate(reason))

    def pause(self, reason: str | None = None) -> None:
        """As `WorkflowHandle.pause`."""
        self._loop.call(self._handle.pause(reason))

    def unpause(self) -> None:
        """As `WorkflowHandle.unpause`."""
        self._loop.call(self._handle.unpause())

    def unpark(self) -> None:
        """Tries a parked run again now."""
        self._loop.call(self._handle.unpark())

    def reset(
        self,
        to: ResetPoint,
        *,
        reason: str = "",
        results: Mapping[int, Any] | None = None,
        keep_signals: bool = True,
    ) -> SyncWorkflowHandle[Result]:
        """Goes back to before an event, and on as a new run. See `WorkflowHandle.reset`."""
        made = self._handle.reset(to, reason=reason, results=results, keep_signals=keep_signals)
        return SyncWorkflowHandle(self._loop.call(made), self._loop)

    def fork(
        self,
        to: ResetPoint,
        *,
        id: str,
        reason: str = "",
        results: Mapping[int, Any] | None = None,
        keep_signals: bool = True,
    ) -> SyncWorkflowHandle[Result]:
        """Begins another run with a copy of this one's history. See `WorkflowHandle.fork`."""
        made = self._handle.fork(
            to, id=id, reason=reason, results=results, keep_signals=keep_signals
        )
        return SyncWorkflowHandle(self._loop.call(made), self._loop)

    def update_options(
        self, *, versioning_override: WorkerDeploymentVersion | VersioningBehavior
    ) -> None:
        """Moves the run to another version of its workers. See `WorkflowHandle.update_options`."""
        self._loop.call(self._handle.update_options(versioning_override=versioning_override))

    def fetch_history(self) -> str:
        """The run's history as JSON lines, one record each, lossless."""
        return self._loop.call(self._handle.fetch_history())

    def __repr__(self) -> str:
        return repr(self._handle)


class SyncAsyncActivityHandle:
    """An activity that completes asynchronously; see `AsyncActivityHandle`."""

    def __init__(self, handle: AsyncActivityHandle, loop: LoopThread) -> None:
        self._handle = handle
        self._loop = loop

    def complete(self, result: Any = None) -> None:
        """The activity returns `result`. See `AsyncActivityHandle.complete`."""
        self._loop.call(self._handle.complete(result))

    def fail(self, error: BaseException) -> None:
        """The attempt fails with `error`. See `AsyncActivityHandle.fail`."""
        self._loop.call(self._handle.fail(error))

    def report_cancellation(self, *details: Any) -> None:
        """The attempt ended because of a cancel. See `AsyncActivityHandle.report_cancellation`."""
        self._loop.call(self._handle.report_cancellation(*details))

    def heartbeat(self, details: Any = None) -> None:
        """Somebody is at work on the attempt. See `AsyncActivityHandle.heartbeat`."""
        self._loop.call(self._handle.heartbeat(details))

    def __repr__(self) -> str:
        return repr(self._handle)


class SyncClient:
    """A `Client` for code that is not async: scripts, Django views, notebooks.

    Any thread may use it. `close` it, or use `with`.

    ```python
    with SyncClient.connect("file:app.db") as client:
        print(client.execute_workflow(checkout, "o-1"))
    ```
    """

    def __init__(self, client: Client, loop: LoopThread) -> None:
        self._client = client
        self._loop = loop

    @classmethod
    def connect(
        cls,
        target: str,
        *,
        namespace: str = "default",
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> SyncClient:
        """A client of the store at `target`; see `Client.connect`."""
        loop = LoopThread()
        try:
            connecting = Client.connect(
                target,
                namespace=namespace,
                interceptors=interceptors,
                data_converter=data_converter,
            )
            return cls(loop.call(connecting), loop)
        except BaseException:
            loop.close()
            raise

    @property
    def worker_deployments(self) -> SyncWorkerDeployments:
        """Which version of the workers new runs begin on, by deployment."""
        return SyncWorkerDeployments(self._client.worker_deployments, self._loop)

    def patches(self, *ids: str, workflow_type: str | None = None) -> list[PatchUsage]:
        """Which open runs still need a patch. See `Client.patches`."""
        return self._loop.call(self._client.patches(*ids, workflow_type=workflow_type))

    def task_queues(self) -> list[TaskQueueDescription]:
        """How the task queues and services stand. See `Client.task_queues`."""
        return self._loop.call(self._client.task_queues())

    def close(self) -> None:
        """Ends the thread. Safe to call twice."""
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @overload
    def start_workflow(
        self,
        workflow: WorkflowDefinition[..., Result],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> SyncWorkflowHandle[Result]: ...
    @overload
    def start_workflow(
        self,
        workflow: Callable[..., Coroutine[Any, Any, Result]],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> SyncWorkflowHandle[Result]: ...
    @overload
    def start_workflow(
        self,
        workflow: str | type,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> SyncWorkflowHandle[Any]: ...
    def start_workflow(
        self,
        workflow: Any,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> SyncWorkflowHandle[Any]:
        """Starts a run; returns when that is durable. See `Client.start_workflow`."""
        start: Any = self._client.start_workflow
        started = self._loop.call(start(workflow, *arguments, args=args, **options))
        return SyncWorkflowHandle(started, self._loop)

    @overload
    def execute_workflow(
        self, workflow: WorkflowDefinition[..., Result], /, *arguments: Any, **options: Any
    ) -> Result: ...
    @overload
    def execute_workflow(
        self,
        workflow: Callable[..., Coroutine[Any, Any, Result]],
        /,
        *arguments: Any,
        **options: Any,
    ) -> Result: ...
    @overload
    def execute_workflow(self, workflow: str | type, /, *arguments: Any, **options: Any) -> Any: ...
    def execute_workflow(self, workflow: Any, /, *arguments: Any, **options: Any) -> Any:
        """Starts a run and waits for its result. See `Client.execute_workflow`."""
        return self._loop.call(self._client.execute_workflow(workflow, *arguments, **options))

    def start_update_with_start(
        self, update: str | Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> SyncWorkflowUpdateHandle[Any]:
        """Sends an update to a run, started if need be. See `Client.start_update_with_start`."""
        sent = self._client.start_update_with_start(update, *arguments, **options)
        return SyncWorkflowUpdateHandle(self._loop.call(sent), self._loop)

    def execute_update_with_start(
        self, update: str | Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Any:
        """The same, and waits for the result. See `Client.execute_update_with_start`."""
        sent = self._client.execute_update_with_start(update, *arguments, **options)
        return self._loop.call(sent)

    def get_workflow_handle(
        self, workflow_id: str, *, run_id: str | None = None
    ) -> SyncWorkflowHandle[Any]:
        """The handle of a run that exists. See `Client.get_workflow_handle`."""
        found = self._loop.call(self._client.get_workflow_handle(workflow_id, run_id=run_id))
        return SyncWorkflowHandle(found, self._loop)

    def get_async_activity_handle(
        self,
        *,
        task_token: bytes | str | None = None,
        workflow_id: str | None = None,
        run_id: str | None = None,
        number: int | None = None,
    ) -> SyncAsyncActivityHandle:
        """The way to complete an activity; see `Client.get_async_activity_handle`."""
        handle = self._client.get_async_activity_handle(
            task_token=task_token, workflow_id=workflow_id, run_id=run_id, number=number
        )
        return SyncAsyncActivityHandle(handle, self._loop)

    def list_workflows(
        self,
        query: str | None = None,
        *,
        workflow_id: str | None = None,
        workflow_type: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        page_size: int = 100,
    ) -> Iterator[WorkflowDescription]:
        """Runs of this namespace, newest first by default. See `Client.list_workflows`."""
        runs = self._client.list_workflows(
            query,
            workflow_id=workflow_id,
            workflow_type=workflow_type,
            status=status,
            limit=limit,
            page_size=page_size,
        )
        while (run := self._loop.call(_next_of(runs))) is not None:
            yield run

    def count_workflows(self, query: str | None = None) -> int:
        """How many runs of this namespace there are. See `Client.count_workflows`."""
        return self._loop.call(self._client.count_workflows(query))


async def _next_of(runs: AsyncIterator[WorkflowDescription]) -> WorkflowDescription | None:
    return await anext(runs, None)
