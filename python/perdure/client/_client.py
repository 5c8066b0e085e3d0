"""Starting and finding workflows."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar, Unpack, get_type_hints, overload

from perdure._claims import add_converter
from perdure._core import SkippingClock, encode, owner_socket
from perdure._interceptor import Interceptor, SendMessageCall, around
from perdure.client._address import store_path
from perdure.client._arguments import check_arguments
from perdure.client._async_activity import AsyncActivityHandle, handle_of
from perdure.client._codecs import set_codec
from perdure.client._deployments import WorkerDeployments
from perdure.client._handle import WorkflowDescription, WorkflowHandle, description_of
from perdure.client._ids import new_message_id, new_run, new_seed
from perdure.client._patches import PatchUsage, patch_usages
from perdure.client._port import deliver
from perdure.client._schedules import ScheduleHandle, create_schedule, list_schedules
from perdure.client._search import NameFilter, Pages
from perdure.client._start import start as send_start
from perdure.client._start_options import StartOptions, StartOptionsFields
from perdure.client._task_queues import TaskQueueDescription, task_queues
from perdure.client._updates import (
    UpdateStage,
    WorkflowUpdateHandle,
    start_update,
    update_fields,
)
from perdure.client._with_start import tell
from perdure.converter import DataConverter
from perdure.errors import DecodeError, NotFoundError
from perdure.schedule import Schedule
from perdure.workflow._definition import WorkflowDefinition, definition_of
from perdure.workflow._message_handler import name_of

__all__ = ["DEFAULT_NAMESPACE", "Client"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
DEFAULT_NAMESPACE = "default"


class Client:
    """A way to the workflows of one store. `async with` closes nothing yet; it reads well.

    ```python
    client = await Client.connect("file:app.db")
    print(await client.execute_workflow(checkout, "o-1"))
    ```
    """

    def __init__(
        self,
        path: Path,
        namespace: str,
        *,
        clock: SkippingClock | None = None,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> None:
        self.path = path
        add_converter(data_converter)
        set_codec(path, data_converter)
        self.namespace = namespace
        self.interceptors = tuple(interceptors)
        """What stands around this client's calls, and its workers' activities."""
        self.clock = clock
        """What workers of this client follow instead of the system's time; only tests have one."""

    @classmethod
    async def connect(
        cls,
        target: str,
        *,
        namespace: str = DEFAULT_NAMESPACE,
        interceptors: Sequence[Interceptor] = (),
        data_converter: DataConverter | None = None,
    ) -> Client:
        """A client of the store at `target`; neither file nor engine need exist yet.

        Args:
            target: `file:` and a path.
            namespace: Keeps workflows apart; `default` by default.
            interceptors: What stands around its calls, and around the activities of its workers,
                the first one outermost; none by default.
            data_converter: How values are stored, such as encrypted; as plain MessagePack by
                default. It is the store's for the whole process: its workers and other clients
                have it too, and the last one given holds for what is opened from then on.

        Raises:
            ValueError: No such address, or values that its payload converter handles have
                travelled in this process without it.
        """
        return cls(
            store_path(target),
            namespace,
            interceptors=interceptors,
            data_converter=data_converter,
        )

    def owner_process(self) -> int | None:
        """The process whose engine owns the store; None while there is none."""
        owner = owner_socket(self.path)
        return None if owner is None else owner[0]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        pass

    @overload
    async def start_workflow(
        self,
        workflow: WorkflowDefinition[..., Result],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> WorkflowHandle[Result]: ...
    @overload
    async def start_workflow(
        self,
        workflow: Callable[..., Coroutine[Any, Any, Result]],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> WorkflowHandle[Result]: ...
    @overload
    async def start_workflow(
        self,
        workflow: str | type,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> WorkflowHandle[Any]: ...
    async def start_workflow(
        self,
        workflow: Any,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> WorkflowHandle[Any]:
        """Starts a run; returns when that is durable.

        Args:
            workflow: A workflow function, a class's run method, or a registered name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            **options: The fields of `StartOptions`.

        Raises:
            WorkflowAlreadyStartedError: An open run has this id, no signal comes along, and
                `id_conflict_policy` says nothing else; or a closed one bars it by
                `id_reuse_policy`.
            NoWorkerError: No engine has come for 5 s; the start is kept for the next one.
            EncodeError: An argument cannot travel.
            TypeError: The arguments do not fit the workflow's parameters, or an option its type.
            ValueError: A span is negative, or the policies contradict each other.
        """
        given: dict[str, Any] = {
            option: value for option, value in options.items() if value is not None
        }
        return await self._start(workflow, (*arguments, *args), StartOptions(**given), {})

    async def _start(
        self,
        workflow: Any,
        arguments: tuple[Any, ...],
        chosen: StartOptions,
        brought: Mapping[str, Any],
    ) -> WorkflowHandle[Any]:
        """Starts a run, with what the message of the start brings along."""
        name, result_type, positional = _call_of(workflow, arguments)
        fields: dict[str, Any] = {
            **chosen.message(),
            **brought,
            "namespace": self.namespace,
            "workflow_type": name,
            "arguments": encode(list(positional)),
        }

        fields |= {"run": new_run().bytes, "seed": new_seed()}
        post = partial(deliver, self.path, "start", chosen.request_id or new_message_id())
        workflow_id, run_id = await send_start(self.interceptors, fields, positional, post)
        return self._handle(workflow_id, run_id, result_type)

    async def start_update_with_start(
        self,
        update: str | Callable[..., Any],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        workflow: Any,
        workflow_args: Sequence[Any] = (),
        id: str,
        update_id: str | None = None,
        wait_for_stage: UpdateStage = "accepted",
        result_type: Any = Any,
        **start_options: Any,
    ) -> WorkflowUpdateHandle[Any]:
        """Sends an update to the open run of an id, or starts that run with it.

        Both go in one message: there is never a run without the update that it was started for.

        Args:
            update: The decorated method, or the update's name.
            *arguments: The update's arguments.
            args: Further arguments; none by default.
            workflow: What to start when no run of the id is open.
            workflow_args: Its arguments; none by default.
            id: The workflow id.
            update_id: Unique among the run's updates; a random one by default.
            wait_for_stage: `accepted` by default, or `completed`.
            result_type: With a name: what the result is decoded as; plain values by default.
            **start_options: Further options of `start_workflow`.

        Raises:
            WorkflowUpdateFailedError: It was refused; a run that was started for it goes on.
            WorkflowParkedError: A bug has stopped the run.
            NoWorkerError: No engine, or no worker of the run's task queue, has come for 5 s.
            EncodeError: An argument cannot travel.
        """
        hint = result_type if isinstance(update, str) else get_type_hints(update).get("return", Any)
        given = {option: value for option, value in start_options.items() if value is not None}
        options = StartOptions(id=id, **given)
        chosen_id = new_message_id() if update_id is None else update_id

        async def proceed(call: SendMessageCall) -> WorkflowUpdateHandle[Any]:
            brought = update_fields(call.name, call.arguments, chosen_id)

            async def send(handle: WorkflowHandle[Any], _is_new: bool) -> WorkflowUpdateHandle[Any]:
                # What the start has brought is not handled again: this waits for what came of it.
                return await start_update(
                    self.path,
                    handle.run_id,
                    call.name,
                    call.arguments,
                    update_id=chosen_id,
                    stage=wait_for_stage,
                    result_type=hint,
                )

            start = partial(self._start, workflow, tuple(workflow_args), options, brought)
            return await tell(start, self._handle, send)

        call = SendMessageCall(id, "", name_of("update", update), (*arguments, *args))
        return await around(self.interceptors, "start_update", proceed)(call)

    async def execute_update_with_start(
        self, update: str | Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Any:
        """As `start_update_with_start`, and waits for what the update's handler returns."""
        options["wait_for_stage"] = "completed"
        handle = await self.start_update_with_start(update, *arguments, **options)
        return await handle.result()

    @overload
    async def execute_workflow(
        self,
        workflow: WorkflowDefinition[..., Result],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> Result: ...
    @overload
    async def execute_workflow(
        self,
        workflow: Callable[..., Coroutine[Any, Any, Result]],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> Result: ...
    @overload
    async def execute_workflow(
        self,
        workflow: str | type,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> Any: ...
    async def execute_workflow(
        self,
        workflow: Any,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        **options: Unpack[StartOptionsFields],
    ) -> Any:
        """Starts a run and waits for its result; arguments and errors as `start_workflow` and
        `WorkflowHandle.result`.
        """
        handle = await self.start_workflow(workflow, *arguments, args=args, **options)
        return await handle.result()

    async def get_workflow_handle(
        self, workflow_id: str, *, run_id: str | None = None
    ) -> WorkflowHandle[Any]:
        """The handle of a run that exists.

        Args:
            workflow_id: The user's name for it.
            run_id: Which of its runs; the latest by default.

        Raises:
            NotFoundError: There is none.
        """
        if run_id is None:
            async for run in self.list_workflows(workflow_id=workflow_id):
                return self._handle(workflow_id, run.run_id)
            raise NotFoundError(f"there is no run of workflow id {workflow_id!r}")
        return self._handle(workflow_id, run_id)

    def _handle(self, workflow_id: str, run_id: str, result_type: Any = Any) -> WorkflowHandle[Any]:
        around = self.interceptors
        return WorkflowHandle(self.path, workflow_id, run_id, result_type, interceptors=around)

    def get_async_activity_handle(
        self,
        *,
        task_token: bytes | str | None = None,
        workflow_id: str | None = None,
        run_id: str | None = None,
        number: int | None = None,
    ) -> AsyncActivityHandle:
        """The way to complete an activity that called `activity.raise_complete_async()`.

        Args:
            task_token: `activity.info().task_token`, as bytes or as hexadecimal digits. It names
                one attempt; none by default.
            workflow_id: Without a token: the workflow; its latest run when a verb is first used,
                unless `run_id` names one. None by default.
            run_id: Without a token: the run; none by default.
            number: Without a token: the activity's number in the run, as
                `WorkflowHandle.pending_activities` tells it; whichever attempt is under way.

        Raises:
            ValueError: No token, or neither a token nor a run and a number. The verbs raise
                `NotFoundError` when the workflow id has no run.
        """
        if run_id is not None or workflow_id is None:
            return handle_of(self.path, task_token, run_id, number)

        async def latest() -> bytes:
            handle = await self.get_workflow_handle(workflow_id)
            return uuid.UUID(handle.run_id).bytes

        return handle_of(self.path, task_token, latest, number)

    async def list_workflows(
        self,
        query: str | None = None,
        *,
        workflow_id: str | None = None,
        workflow_type: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[WorkflowDescription]:
        """Runs of this namespace, newest first unless the query says otherwise.

        Those behind schedules and deployments, whose types begin with `perdure.`, are left out
        unless they are asked for by name.

        Args:
            query: What must hold of them, such as `CustomerId = "42" ORDER BY CloseTime`; all by
                default.
            workflow_id: Only this id; all by default.
            workflow_type: Only this type; all by default.
            status: Only this status; all by default.
            limit: At most so many; all by default.
            page_size: How many are read at once; 100 by default.

        Raises:
            InvalidQueryError: The query cannot be read.
        """
        if page_size < 1:
            raise ValueError(f"page_size is at least 1, not {page_size}")
        names = NameFilter(workflow_id, workflow_type, status)
        pages = Pages(self.path, self.namespace, query, names)
        left = limit
        while left is None or left > 0:
            wanted = page_size if left is None else min(page_size, left)
            page = await asyncio.to_thread(pages.read, wanted)
            for fields in page:
                yield description_of(fields)
            if len(page) < wanted:
                return
            left = None if left is None else left - len(page)

    async def count_workflows(self, query: str | None = None) -> int:
        """How many runs of this namespace there are.

        Args:
            query: What must hold of them; all by default.

        Raises:
            InvalidQueryError: The query cannot be read.
        """
        pages = Pages(self.path, self.namespace, query or "", NameFilter())
        return await asyncio.to_thread(pages.count)

    async def create_schedule(
        self, id: str, schedule: Schedule, *, trigger_immediately: bool = False
    ) -> ScheduleHandle:
        """Makes a schedule; returns when that is durable.

        Args:
            id: Its name, unique in the namespace.
            schedule: What it does, and when.
            trigger_immediately: Whether it also acts now; False by default.

        Raises:
            ScheduleAlreadyRunningError: There is one of this id.
            EncodeError: An argument of its action cannot travel.
            NoWorkerError: No engine has come for 5 s; it is kept for the next one.
        """
        return await create_schedule(self, id, schedule, trigger_immediately=trigger_immediately)

    def get_schedule_handle(self, id: str) -> ScheduleHandle:
        """The handle of a schedule; whether there is one, its methods find out.

        Args:
            id: Its name.
        """
        return ScheduleHandle(self, id)

    def list_schedules(self) -> AsyncIterator[ScheduleHandle]:
        """The schedules of this namespace, newest first."""
        return list_schedules(self)

    async def task_queues(self) -> list[TaskQueueDescription]:
        """How the task queues and services stand: how many attempts run and wait, and for what.

        Raises:
            NoWorkerError: No engine runs: only a live one knows.
        """
        return await task_queues(self.path)

    @property
    def worker_deployments(self) -> WorkerDeployments:
        """Which version of the workers new runs begin on, by deployment."""
        return WorkerDeployments(self)

    async def patches(self, *ids: str, workflow_type: str | None = None) -> list[PatchUsage]:
        """Which open runs of this namespace still need a patch, by workflow type.

        No history is read for it; runs that have ended need nothing any more.

        Args:
            *ids: Only these patches, also when no open run knows them; by default all that open
                runs have recorded.
            workflow_type: Only this type; all that have open runs by default.

        Raises:
            StoreError: The store cannot be read.
        """
        return await asyncio.to_thread(patch_usages, self.path, self.namespace, workflow_type, ids)


def _call_of(workflow: Any, arguments: tuple[Any, ...]) -> tuple[str, Any, tuple[Any, ...]]:
    if isinstance(workflow, str):
        return workflow, Any, arguments
    definition = definition_of(workflow)
    try:
        positional = definition.positional(*arguments)
        check_arguments(definition, positional)
    except (TypeError, DecodeError) as error:
        raise TypeError(f"{definition.name}{definition.signature}: {error}") from error
    return definition.name, definition.result_type, positional
