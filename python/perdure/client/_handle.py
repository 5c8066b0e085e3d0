"""One run, as a client sees it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, get_type_hints, overload

from perdure._core import StoreReader, decode, decode_history, encode
from perdure._interceptor import EndWorkflowCall, Interceptor, SendMessageCall, around
from perdure.client._answer import Answer
from perdure.client._codecs import codec_of
from perdure.client._ids import new_message_id
from perdure.client._port import deliver, hosts, pending_activities
from perdure.client._reset import ResetPoint, copy_run
from perdure.client._updates import UpdateStage, WorkflowUpdateHandle, start_update
from perdure.convert import attribute_values, memo_values, shape_of
from perdure.converter import encoding_of
from perdure.errors import NotFoundError
from perdure.versioning import VersioningBehavior, WorkerDeploymentVersion, pin_of
from perdure.workflow._message_handler import name_of

__all__ = ["PendingActivity", "WorkflowDescription", "WorkflowHandle", "description_of"]

Result = TypeVar("Result")
Answered = TypeVar("Answered")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class WorkflowDescription:
    """What can be known of a run without its history."""

    workflow_id: str
    """The user's name for the run."""
    run_id: str
    """The run."""
    workflow_type: str
    """The workflow's registered name."""
    namespace: str
    """The namespace."""
    task_queue: str
    """The task queue."""
    status: str
    """`running`, `parked`, `paused`, `completed`, `failed`, `cancelled`, `terminated`,
    `timed_out` or `continued_as_new`."""
    start_time: datetime
    """When it was started, in UTC."""
    close_time: datetime | None
    """When it closed, in UTC; None while it is open."""
    history_length: int
    """How many events and commands its history holds."""
    park_reason: str | None
    """Why it is parked; None when it is not."""
    park_traceback: str | None
    """The traceback of the bug that parked it."""
    pause_reason: str | None = None
    """Why it is paused, which may be empty; None when it is not."""
    search_attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it is found by."""
    memo: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it says of itself to people, as plain values."""


def description_of(fields: dict[str, Any]) -> WorkflowDescription:
    """The description in what a store says of a run."""
    reason: tuple[str, str, str] | None = fields["park_reason"]
    closed_at_us = fields["closed_at_us"]
    return WorkflowDescription(
        workflow_id=fields["workflow_id"],
        run_id=fields["run_id"],
        workflow_type=fields["workflow_type"],
        namespace=fields["namespace"],
        task_queue=fields["task_queue"],
        status=fields["status"],
        start_time=_EPOCH + timedelta(microseconds=fields["started_at_us"]),
        close_time=None if closed_at_us is None else _EPOCH + timedelta(microseconds=closed_at_us),
        history_length=fields["last_n"],
        park_reason=None if reason is None else reason[1],
        park_traceback=None if reason is None else reason[2],
        pause_reason=fields["pause_reason"],
        search_attributes=attribute_values(fields["search_attributes"]),
        memo=_readable_memo(fields["memo"]),
    )


def _readable_memo(fields: dict[str, bytes]) -> dict[str, Any]:
    """The memo; of what is encoded otherwise than this client's codec knows, that it is."""
    memo = memo_values({key: data for key, data in fields.items() if not encoding_of(data)})
    return {
        key: memo[key] if key in memo else f"(encoded with {encoding_of(data)})"
        for key, data in fields.items()
    }


@dataclass(frozen=True, slots=True)
class PendingActivity:
    """An activity that a run waits for."""

    number: int
    """The number of the command that scheduled it."""
    activity: str | None
    """Its name; None while that stands in the history alone."""
    service: str | None
    """The service that has it; None for the worker's own."""
    attempt: int
    """The attempt that runs or comes next, from 1."""
    progress: str
    """`running`, `reported`, or why it is not running: `waiting: …`, `next attempt at …`."""
    last_failure: str | None
    """Why the attempt before failed; None when none has."""


def _pending_activity(
    number: int,
    activity: str | None,
    service: str | None,
    attempt: int,
    progress: str,
    last_failure: str | None,
) -> PendingActivity:
    before, mark, milliseconds = progress.partition("next attempt at ")
    if mark and not before:
        when = _EPOCH + timedelta(milliseconds=int(milliseconds))
        progress = f"next attempt at {when:%H:%M:%S}Z"
    return PendingActivity(number, activity, service, attempt, progress, last_failure)


class WorkflowHandle(Generic[Result]):
    """A run to wait for, look at, ask, signal, update, cancel or terminate."""

    def __init__(
        self,
        path: Path,
        workflow_id: str,
        run_id: str,
        result_type: Any = Any,
        *,
        interceptors: Sequence[Interceptor] = (),
    ) -> None:
        self.id = workflow_id
        self.run_id = run_id
        self._path = path
        self._result_type = result_type
        self._interceptors = interceptors

    async def result(self, *, follow_runs: bool = True) -> Result:
        """Waits until the run closes, and gives what it returned.

        Args:
            follow_runs: Whether, of a run that goes on in another, the result is that of the last
                one; it is by default.

        Raises:
            WorkflowContinuedAsNewError: It goes on in another run, and `follow_runs` is False.
            WorkflowFailureError: It ended otherwise; `cause` says why.
            WorkflowParkedError: A bug has stopped it.
            NoWorkerError: No engine, or no worker of the run's task queue, has come for 5 s.
            NotFoundError: There is no such run.
        """
        answer = await self._outcome(self._run)
        while follow_runs and answer.next_run_id is not None:
            answer = await self._outcome(uuid.UUID(answer.next_run_id).bytes)
        return cast("Result", decode(answer.outcome(), shape_of(self._result_type)))

    async def describe(self) -> WorkflowDescription:
        """What can be known of the run without its history.

        Raises:
            NotFoundError: There is no such run.
        """
        fields = await asyncio.to_thread(lambda: self._reader().describe(self._run))
        if fields is None:
            raise NotFoundError(f"there is no run {self.run_id}")
        return description_of(fields)

    async def pending_activities(self) -> list[PendingActivity]:
        """What the run waits for, and why it is not running; nothing for a closed run.

        Raises:
            NoWorkerError: No engine runs: only a live one knows.
        """
        pending = await pending_activities(self._path, self._run)
        return [_pending_activity(*each) for each in pending or ()]

    async def signal(
        self, signal: str | Callable[..., Any], /, *arguments: Any, args: Sequence[Any] = ()
    ) -> None:
        """Sends a signal; returns when it is durable. The run handles it in its turn.

        Args:
            signal: The decorated method, or the signal's name. One that the run has no handler
                for waits until it has.
            *arguments: Its arguments.
            args: Further arguments; none by default.

        Raises:
            RunClosedError: The run is closed.
            NotFoundError: There is no such run.
            EncodeError: An argument cannot travel.
        """

        async def proceed(call: SendMessageCall) -> None:
            data = encode(list(call.arguments))
            await self._post("signal", name=call.name, arguments=data)

        call = self._message(name_of("signal", signal), (*arguments, *args))
        await around(self._interceptors, "signal_workflow", proceed)(call)

    @overload
    async def query(
        self,
        query: Callable[..., Answered],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
    ) -> Answered: ...
    @overload
    async def query(
        self, query: str, /, *arguments: Any, args: Sequence[Any] = (), result_type: Any = Any
    ) -> Any: ...
    async def query(
        self, query: Any, /, *arguments: Any, args: Sequence[Any] = (), result_type: Any = Any
    ) -> Any:
        """Asks about the run's state, running or closed; nothing of it is recorded.

        Args:
            query: The decorated method, or the query's name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            result_type: With a name: what the answer is decoded as; plain values by default.

        Raises:
            WorkflowQueryFailedError: There is no such query, or its handler raised.
            WorkflowParkedError: A bug has stopped the run.
            NoWorkerError: No engine, or no worker of the run's task queue, is there.
            NotFoundError: There is no such run.
            EncodeError: An argument cannot travel.
        """
        hint = result_type if isinstance(query, str) else get_type_hints(query).get("return", Any)

        async def proceed(call: SendMessageCall) -> Any:
            data = encode(list(call.arguments))
            answer = await self._send("query", name=call.name, arguments=data)
            return decode(answer.query_answer(), shape_of(hint))

        call = self._message(name_of("query", query), (*arguments, *args))
        return await around(self._interceptors, "query_workflow", proceed)(call)

    @overload
    async def execute_update(
        self,
        update: Callable[..., Coroutine[Any, Any, Answered]],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
    ) -> Answered: ...
    @overload
    async def execute_update(
        self,
        update: Callable[..., Answered],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
    ) -> Answered: ...
    @overload
    async def execute_update(
        self,
        update: str,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        result_type: Any = Any,
    ) -> Any: ...
    async def execute_update(
        self,
        update: Any,
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        result_type: Any = Any,
    ) -> Any:
        """Sends an update, and waits for what its handler returns.

        A run that has gone on in another one has it sent to that one, unless it had accepted it.

        Args:
            update: The decorated method, or the update's name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            id: Unique among the run's updates: one that the run has accepted already is not
                handled again, and its result is given; a random one by default.
            result_type: With a name: what the result is decoded as; plain values by default.

        Raises:
            WorkflowUpdateFailedError: It was refused, or its handler failed; `__cause__` says why.
            WorkflowParkedError: A bug has stopped the run.
            RunClosedError: The run is closed and none follows it, or it closed before the handler
                ended.
            NoWorkerError: No engine, or no worker of the run's task queue, has come for 5 s; the
                update is kept.
            NotFoundError: There is no such run.
            EncodeError: An argument cannot travel.
        """
        handle = await self.start_update(
            update,
            *arguments,
            args=args,
            id=id,
            wait_for_stage="completed",
            result_type=result_type,
        )
        return await handle.result()

    async def start_update(
        self,
        update: str | Callable[..., Any],
        /,
        *arguments: Any,
        args: Sequence[Any] = (),
        id: str | None = None,
        wait_for_stage: UpdateStage = "accepted",
        result_type: Any = Any,
    ) -> WorkflowUpdateHandle[Any]:
        """Sends an update; returns when its validator has accepted it and that is durable.

        Args:
            update: The decorated method, or the update's name.
            *arguments: Its arguments.
            args: Further arguments; none by default.
            id: As for `execute_update`; a random one by default.
            wait_for_stage: `accepted` by default, or `completed`.
            result_type: With a name: what the result is decoded as; plain values by default.

        Raises:
            WorkflowUpdateFailedError: It was refused; `__cause__` says why.
            WorkflowParkedError: A bug has stopped the run.
            RunClosedError: The run is closed and none follows it.
            NoWorkerError: No engine, or no worker of the run's task queue, has come for 5 s; the
                update is kept.
            NotFoundError: There is no such run.
            EncodeError: An argument cannot travel.
        """
        hint = result_type if isinstance(update, str) else get_type_hints(update).get("return", Any)

        async def proceed(call: SendMessageCall) -> WorkflowUpdateHandle[Any]:
            return await start_update(
                self._path,
                self.run_id,
                call.name,
                call.arguments,
                update_id=id,
                stage=wait_for_stage,
                result_type=hint,
            )

        call = self._message(name_of("update", update), (*arguments, *args))
        return await around(self._interceptors, "start_update", proceed)(call)

    def get_update_handle(self, id: str, *, result_type: Any = Any) -> WorkflowUpdateHandle[Any]:
        """The handle of an update that was sent before, also before a restart.

        Args:
            id: The update's id.
            result_type: What its result is decoded as; plain values by default.
        """
        return WorkflowUpdateHandle(self._path, self.run_id, id, result_type)

    async def cancel(self, reason: str = "") -> None:
        """Asks the run to cancel itself; its code may clean up.

        Raises:
            RunClosedError: It is closed.
            NotFoundError: There is no such run.
        """

        async def proceed(call: EndWorkflowCall) -> None:
            await self._post("cancel", reason=call.reason)

        call = EndWorkflowCall(self.id, self.run_id, reason)
        await around(self._interceptors, "cancel_workflow", proceed)(call)

    async def terminate(self, reason: str = "") -> None:
        """Ends the run without running its code.

        Raises:
            RunClosedError: It is closed.
            NotFoundError: There is no such run.
        """

        async def proceed(call: EndWorkflowCall) -> None:
            await self._post("terminate", reason=call.reason)

        call = EndWorkflowCall(self.id, self.run_id, reason)
        await around(self._interceptors, "terminate_workflow", proceed)(call)

    async def pause(self, reason: str | None = None) -> None:
        """Holds the run: its code takes no step until `unpause`.

        What comes meanwhile waits, and is handled in its order then. Activities that are scheduled
        go on, and so do their retries and the run's timeouts; queries are answered, and the run
        can be terminated. Of a run that is paused already, the reason changes.

        Args:
            reason: Why, for people; nothing by default.

        Raises:
            RunClosedError: It is closed.
            NotFoundError: There is no such run.
        """
        await self._post("pause", reason=reason or "")

    async def unpause(self) -> None:
        """Lets a paused run go on; one that is not paused goes on as it does.

        Raises:
            RunClosedError: It is closed.
            NotFoundError: There is no such run.
        """
        await self._post("unpause")

    async def unpark(self) -> None:
        """Tries a parked run again now."""
        answer = await self._send("unpark")
        answer.expect("accepted")

    async def update_options(
        self, *, versioning_override: WorkerDeploymentVersion | VersioningBehavior
    ) -> None:
        """Moves the run to another version of its workers; returns when that is durable.

        Args:
            versioning_override: The version that it stays on; or `AUTO_UPGRADE`, to move on.

        Raises:
            ValueError: `PINNED`, which does not say to what.
            ServerError: It has ended, or has not begun.
        """
        answer = await self._send("update_options", pinned_to=pin_of(versioning_override))
        answer.expect("accepted")

    async def reset(
        self,
        to: ResetPoint,
        *,
        reason: str = "",
        results: Mapping[int, Any] | None = None,
        keep_signals: bool = True,
    ) -> WorkflowHandle[Result]:
        """Goes back to before an event of the run, open or closed, and on from there as a new run.

        An open run is terminated for it. The new one has the same workflow id, and the same
        idempotency keys: what was done once already is known to whoever looks at them.

        Args:
            to: The event before which everything is kept: its number in the history, `"first"`
                (the first after the start), `"last"`, or `"last_failure"` (of an activity).
            reason: A text for people; none by default.
            results: Results to give to activities scheduled before the point, by the number of
                the command that scheduled them, in place of what is recorded; none by default.
            keep_signals: Whether signals and updates that came after the point are delivered
                again; they are by default.

        Raises:
            ResetRefusedError: The run cannot be reset to that point; the message says which can.
            WorkflowAlreadyStartedError: Another open run has the workflow id by now.
            NotFoundError: There is no such run.
            EncodeError: A result cannot travel.
        """
        return await self._copy(to, reason, results, keep_signals=keep_signals, id=None)

    async def fork(
        self,
        to: ResetPoint,
        *,
        id: str,
        reason: str = "",
        results: Mapping[int, Any] | None = None,
        keep_signals: bool = True,
    ) -> WorkflowHandle[Result]:
        """Begins another run with a copy of this one's history, which goes on as it was.

        What follows the copied part is done anew, under idempotency keys and random numbers of
        the fork's own.

        Args:
            to: As for `reset`.
            id: The fork's workflow id.
            reason: A text for people; none by default.
            results: As for `reset`; none by default.
            keep_signals: As for `reset`; they are by default.

        Raises:
            ResetRefusedError: The run cannot be forked at that point; the message says where.
            WorkflowAlreadyStartedError: An open run has the workflow id.
            NotFoundError: There is no such run.
            EncodeError: A result cannot travel.
        """
        if not id:
            raise ValueError("a workflow id is not empty")
        return await self._copy(to, reason, results, keep_signals=keep_signals, id=id)

    async def _copy(
        self,
        to: ResetPoint,
        reason: str,
        results: Mapping[int, Any] | None,
        *,
        keep_signals: bool,
        id: str | None,
    ) -> WorkflowHandle[Result]:
        run_id = await copy_run(
            self._path,
            self._run,
            "" if isinstance(to, int) else await self.fetch_history(),
            to,
            reason=reason,
            results=results,
            keep_signals=keep_signals,
            workflow_id=id,
        )
        interceptors = self._interceptors
        return WorkflowHandle(
            self._path, id or self.id, run_id, self._result_type, interceptors=interceptors
        )

    async def fetch_history(self, *, decoded: bool = False) -> str:
        """The run's history as JSON lines, one record each, lossless.

        Args:
            decoded: Whether payloads are shown as they were before the client's codec encoded
                them; False by default: as they are stored.
        """
        history = await self._history_of(self._run)
        codec = codec_of(self._path)
        if not decoded or codec is None:
            return history
        return await asyncio.to_thread(decode_history, history, codec)

    async def _history_of(self, run: bytes) -> str:
        return await asyncio.to_thread(lambda: self._reader().history(run))

    def _reader(self) -> StoreReader:
        return StoreReader(self._path, codec_of(self._path))

    async def _outcome(self, run: bytes) -> Answer:
        """How a run ended, once it has."""
        # What closed before is in the store, whether a worker runs or not.
        stored = await asyncio.to_thread(self._stored_outcome, run)
        if stored is not None:
            return stored
        message_id = new_message_id()
        return await deliver(self._path, "await_result", message_id, {"run": run}, durable=False)

    def _stored_outcome(self, run: bytes) -> Answer | None:
        """How a run ended; None when it is open, or its engine is of this process and knows."""
        if self._path in hosts or not self._path.exists() or self._path.stat().st_size == 0:
            return None
        reply = self._reader().outcome(run)
        return None if reply is None else Answer.of(reply)

    @property
    def _run(self) -> bytes:
        return uuid.UUID(self.run_id).bytes

    def _message(self, name: str, arguments: tuple[Any, ...]) -> SendMessageCall:
        return SendMessageCall(self.id, self.run_id, name, arguments)

    async def _post(self, kind: str, **fields: Any) -> None:
        message_id, run = new_message_id(), self._run
        while True:
            answer = await deliver(self._path, kind, message_id, {"run": run, **fields})
            if answer.kind != "closed":
                break
            # An engine may take the message from the inbox, and the run may close over it, before
            # the same message arrives over the socket: then the history has it.
            if message_id in await self._history_of(run):
                return
            following = (await self._outcome(run)).next_run_id
            if following is None:
                break
            # The same message: one that went over to the next run already is not taken twice.
            run = uuid.UUID(following).bytes
        answer.expect("accepted")

    async def _send(self, kind: str, **fields: Any) -> Any:
        message = {"run": self._run, **fields}
        return await deliver(self._path, kind, new_message_id(), message, durable=False)

    def __repr__(self) -> str:
        return f"<run {self.run_id} of workflow id {self.id!r}>"
