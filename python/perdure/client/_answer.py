"""The engine's answers as clients read them, over a function call or over the socket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from perdure.convert import exception_of, failure_fields
from perdure.errors import (
    NotFoundError,
    NoWorkerError,
    PayloadCodecError,
    RunClosedError,
    ServerError,
    StoreDamagedError,
    WorkflowAlreadyStartedError,
    WorkflowContinuedAsNewError,
    WorkflowFailureError,
    WorkflowParkedError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
)

if TYPE_CHECKING:
    from perdure._core import Failure, Reply

__all__ = ["Answer"]

NO_WORKER = "PRD1204"
"""The code of a run whose task queue nobody serves."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a message; `kind` says which fields mean something."""

    kind: str
    """`started`, `already_started`, `id_used`, `accepted`, `not_found`, `closed`, `result`,
    `parked`, `damaged`, `refused`, `query_answered`, `query_failed`, `update_ended`,
    `update_rejected` or `update_not_found`."""
    run_id: str = ""
    status: str = ""
    next_run_id: str | None = None
    result: bytes | None = None
    failure: Failure | None = None
    park_reason: tuple[str, str, str] | None = None
    refusal: str = ""

    @staticmethod
    def of(reply: Reply) -> Answer:
        """The answer in a native reply."""
        return Answer(
            kind=reply.kind,
            run_id=reply.run_id or "",
            status=reply.status,
            next_run_id=reply.next_run_id,
            result=reply.result,
            failure=reply.failure,
            park_reason=reply.park_reason,
            refusal=reply.refusal,
        )

    def expect(self, *kinds: str, workflow_id: str = "") -> Answer:
        """This answer, when it is of one of these kinds.

        Raises:
            WorkflowAlreadyStartedError: Another run has the workflow id.
            NotFoundError: There is no such run.
            RunClosedError: The run takes no messages any more.
            StoreDamagedError: What the store has of the run cannot be read.
            PayloadCodecError: The engine's payload codec refuses what the message holds.
            ServerError: The engine refused the message.
        """
        if self.kind not in kinds:
            self._raise(workflow_id)
        return self

    def query_answer(self) -> bytes:
        """The encoded answer to a query.

        Raises:
            WorkflowQueryFailedError: There is no such query, or its handler raised.
            WorkflowParkedError: The run is parked.
            NoWorkerError: Nobody serves its task queue.
        """
        self._raise_if_parked()
        if self.kind == "query_failed" and self.failure is not None:
            raise WorkflowQueryFailedError(
                f"the query failed: {self.failure.message}"
            ) from exception_of(self.failure)
        self.expect("query_answered")
        return self.result or b""

    def accepted_update(self, update_id: str) -> bool:
        """Whether an update that was accepted has ended as well.

        Raises:
            WorkflowUpdateFailedError: Its validator refused it.
            WorkflowParkedError: The run is parked.
            NoWorkerError: Nobody serves its task queue.
            RunClosedError: The run takes no messages any more.
            NotFoundError: There is no such run.
        """
        self._raise_if_parked()
        if self.kind == "update_rejected" and self.failure is not None:
            raise WorkflowUpdateFailedError(
                f"the update was refused: {self.failure.message}", update_id=update_id
            ) from exception_of(self.failure)
        return self.expect("accepted", "update_ended").kind == "update_ended"

    def update_outcome(self, update_id: str) -> bytes:
        """The encoded result of an update.

        Raises:
            WorkflowUpdateFailedError: Its handler failed.
            WorkflowParkedError: The run is parked.
            NoWorkerError: Nobody serves its task queue.
            RunClosedError: The run closed before the handler ended.
            NotFoundError: There is no such run, or it has no such update.
        """
        self._raise_if_parked()
        if self.kind == "update_not_found":
            raise NotFoundError(f"run {self.run_id} has no update {update_id!r}")
        self.expect("update_ended")
        if self.failure is not None:
            raise WorkflowUpdateFailedError(
                f"the update failed: {self.failure.message}", update_id=update_id
            ) from exception_of(self.failure)
        return self.result or b""

    def outcome(self) -> bytes:
        """The encoded result of a run that completed.

        Raises:
            WorkflowFailureError: It ended otherwise; the cause says why.
            WorkflowParkedError: It is parked.
            NoWorkerError: Nobody has served its task queue for 5 s.
        """
        self._raise_if_parked()
        self.expect("result")
        if self.result is not None:
            return self.result
        cause = None if self.failure is None else exception_of(self.failure)
        raise self._ended(cause) from cause

    def _ended(self, cause: BaseException | None) -> WorkflowFailureError:
        run = {"run_id": self.run_id, "status": self.status}
        if self.status == "continued_as_new" and self.next_run_id is not None:
            text = f"run {self.run_id} goes on as run {self.next_run_id}"
            return WorkflowContinuedAsNewError(text, **run, next_run_id=self.next_run_id)
        why = "" if cause is None else f": {cause}"
        return WorkflowFailureError(f"run {self.run_id} {self.status}{why}", **run)

    def _raise_if_parked(self) -> None:
        if self.kind == "parked" and self.park_reason is not None:
            code, message, traceback = self.park_reason
            if code == NO_WORKER:
                raise NoWorkerError(
                    f"run {self.run_id} is kept and waits: {message}, and it goes on from there"
                )
            raise WorkflowParkedError(
                f"run {self.run_id} is parked ({code}): {message}. Correct the code and deploy it, "
                "or run `perdure workflow unpark`.",
                run_id=self.run_id,
                reason=message,
                traceback=traceback,
            )

    def _raise(self, workflow_id: str) -> NoReturn:
        match self.kind:
            case "already_started":
                raise WorkflowAlreadyStartedError(workflow_id, self.run_id)
            case "id_used":
                raise WorkflowAlreadyStartedError(workflow_id, self.run_id, is_open=False)
            case "not_found":
                raise NotFoundError(f"there is no run {self.run_id}")
            case "closed":
                raise RunClosedError(
                    f"run {self.run_id} is closed ({self.status}) and takes no messages",
                    run_id=self.run_id,
                    status=self.status,
                )
            case "damaged":
                raise StoreDamagedError(self.refusal)
            case "unstorable":
                raise PayloadCodecError(f"the payload codec cannot encode: {self.refusal}")
            case _:
                raise ServerError(f"the engine answered {self.kind}: {self.refusal}")

    def fields(self) -> dict[str, Any]:
        """Plain values, for the socket; failures travel as what they are raised as."""
        return {
            "kind": self.kind,
            "run_id": self.run_id,
            "status": self.status,
            "next_run_id": self.next_run_id,
            "result": self.result,
            "failure": None if self.failure is None else failure_fields(self.failure),
            "park_reason": None if self.park_reason is None else list(self.park_reason),
            "refusal": self.refusal,
        }
