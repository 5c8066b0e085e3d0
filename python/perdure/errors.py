"""Everything Perdure raises.

The tree mirrors the failures that a history records. `FailureError` and its children are facts
about business logic: they fail a run, and `except` clauses in workflows catch them. Everything
else under `PerdureError` is about the program or its surroundings and never ends a run by itself.

Every class has a `code` that names its page in the documentation.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

__all__ = [
    "ActivityError",
    "ApplicationError",
    "AsyncActivityCancelledError",
    "AsyncActivityNotFoundError",
    "CancelledFailure",
    "ChildWorkflowError",
    "ContinueAsNew",
    "DeadlockError",
    "DecodeError",
    "EncodeError",
    "EncodedPayloadError",
    "FailureError",
    "HistoryMismatch",
    "InvalidQueryError",
    "MismatchSide",
    "NoWorkerError",
    "NondeterminismError",
    "NotFoundError",
    "PayloadCodecError",
    "PayloadTooLargeError",
    "PerdureError",
    "RateLimitedError",
    "ResetRefusedError",
    "RetryState",
    "RunClosedError",
    "RunEvicted",
    "RunInterrupted",
    "ScheduleAlreadyRunningError",
    "SecretNotFoundError",
    "ServerError",
    "StoreDamagedError",
    "StoreError",
    "StoreOwnedError",
    "TerminatedError",
    "TimeoutError",
    "TimeoutKind",
    "UnknownWorkflowError",
    "WorkflowAlreadyStartedError",
    "WorkflowContinuedAsNewError",
    "WorkflowFailureError",
    "WorkflowParkedError",
    "WorkflowQueryFailedError",
    "WorkflowUpdateFailedError",
]


class PerdureError(Exception):
    """The root of everything Perdure raises, but for what is no `Exception`."""

    code: ClassVar[str] = "PRD1000"


class FailureError(PerdureError):
    """A failure that a history records. Uncaught in a workflow, it fails the run."""

    code: ClassVar[str] = "PRD1100"

    def __init__(self, message: str = "", *, stack: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.stack = stack
        """The stack trace where it was raised, as text of that language; may be empty."""

    @property
    def cause(self) -> BaseException | None:
        """What this failure was raised from."""
        return self.__cause__


class RetryState(enum.Enum):
    """Why an activity was not attempted again."""

    NON_RETRYABLE = "non_retryable"
    MAXIMUM_ATTEMPTS_REACHED = "maximum_attempts_reached"
    TIMED_OUT = "timed_out"
    CANCEL_REQUESTED = "cancel_requested"


class TimeoutKind(enum.Enum):
    """Which of the timeouts passed."""

    SCHEDULE_TO_START = "schedule_to_start"
    START_TO_CLOSE = "start_to_close"
    SCHEDULE_TO_CLOSE = "schedule_to_close"
    HEARTBEAT = "heartbeat"
    RUN = "run"


class ApplicationError(FailureError):
    """An error of business logic, raised in a workflow or an activity of any language.

    Args:
        message: The text for people.
        *details: Values that travel with the error.
        type: The name by which policies and other languages know it; the class name by default.
        non_retryable: Whether an activity that raises it is not tried again; False by default.
        next_retry_delay: When the next attempt should begin; the policy decides by default.
    """

    code: ClassVar[str] = "PRD1101"

    def __init__(
        self,
        message: str = "",
        *details: Any,
        type: str | None = None,
        non_retryable: bool = False,
        next_retry_delay: timedelta | None = None,
        stack: str = "",
    ) -> None:
        super().__init__(message, stack=stack)
        self.type = type if type is not None else self.__class__.__name__
        self.details: Sequence[Any] = details
        self.non_retryable = non_retryable
        self.next_retry_delay = next_retry_delay

    def __str__(self) -> str:
        # Of an error without a text, its type is all that can be told.
        return self.message or self.type


class RateLimitedError(ApplicationError):
    """Whatever the activity uses refused it, because too much was asked of it: a status of 429.

    The attempt is made again after `retry_after`, and until then no attempt begins of any call that
    shares one of the activity's rate limits. A worker in another language says the same by an
    application failure of this type with a delay.

    Args:
        message: The text for people.
        *details: Values that travel with the error.
        retry_after: How long nothing is to be asked, as the header `Retry-After` tells.
    """

    def __init__(self, message: str = "", *details: Any, retry_after: timedelta) -> None:
        super().__init__(message, *details, type="RateLimitedError", next_retry_delay=retry_after)


class SessionFailedError(FailureError):
    """The worker of a session is gone, or it took too long; begin another to go on."""

    code: ClassVar[str] = "PRD1107"


class ActivityError(FailureError):
    """An activity failed for good; `cause` says why."""

    code: ClassVar[str] = "PRD1102"

    def __init__(
        self,
        message: str = "",
        *,
        activity: str,
        service: str | None = None,
        attempt: int,
        retry_state: RetryState,
    ) -> None:
        super().__init__(message)
        self.activity = activity
        self.service = service
        self.attempt = attempt
        """The attempt that failed last; 0 when none began."""
        self.retry_state = retry_state


class ChildWorkflowError(FailureError):
    """A child workflow did not complete; `cause` says why.

    When another open run has the child's id, `cause` is an `ApplicationError` of type
    `WorkflowAlreadyStarted`.
    """

    code: ClassVar[str] = "PRD1103"

    def __init__(
        self,
        message: str = "",
        *,
        workflow_type: str,
        workflow_id: str,
        run_id: str,
    ) -> None:
        super().__init__(message)
        self.workflow_type = workflow_type
        self.workflow_id = workflow_id
        self.run_id = run_id


class TimeoutError(FailureError):  # noqa: A001 - the field's name; asyncio's is another class
    """One of the activity timeouts passed, or the run's own."""

    code: ClassVar[str] = "PRD1104"

    def __init__(
        self,
        message: str = "",
        *,
        kind: TimeoutKind,
        last_heartbeat_details: Any = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.last_heartbeat_details = last_heartbeat_details


class CancelledFailure(FailureError):
    """A call was cancelled from outside the awaiting code: by an operator or a worker.

    A call that this workflow itself cancelled raises `asyncio.CancelledError` instead.
    """

    code: ClassVar[str] = "PRD1105"

    def __init__(self, message: str = "", *details: Any) -> None:
        super().__init__(message)
        self.details: Sequence[Any] = details


class TerminatedError(FailureError):
    """The run was ended from outside without running its code."""

    code: ClassVar[str] = "PRD1106"


def _placed(message: str, file: str, line: int, function: str) -> str:
    return f"{message} ({file}:{line} in {function})" if file else message


@dataclass(frozen=True, slots=True)
class MismatchSide:
    """What a history has at a place, or what the code asks for there."""

    kind: str
    """As exported histories name it, such as `schedule_activity`."""
    name: str
    """The activity's or the patch's; empty for what has none."""
    file: str
    """Of the call site; empty for what has none, such as the end of the run."""
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class HistoryMismatch:
    """The first place at which the code no longer does what its history says."""

    event_n: int
    """The number of the record in the history."""
    recorded: MismatchSide | None
    """What history has; None when the code asks for one command more."""
    asked: MismatchSide | None
    """What the code asks; None when it no longer asks for anything there."""
    differing_fields: tuple[tuple[str, str, str], ...]
    """Name, recorded value and value now, as text."""


class NondeterminismError(PerdureError):
    """Workflow code asked for something that would not be the same again on replay.

    It parks the run; a corrected deploy resumes it.
    """

    code: ClassVar[str] = "PRD1200"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        function: str = "",
    ) -> None:
        super().__init__(_placed(message, file, line, function))
        self.file = file
        self.line = line
        self.function = function
        self.mismatch: HistoryMismatch | None = None
        """What differs from the history; None where a guard refused what the code does."""


class DeadlockError(PerdureError):
    """Workflow code held the loop for longer than the worker's `deadlock_limit` without awaiting.

    It parks the run; a corrected deploy resumes it.
    """

    code: ClassVar[str] = "PRD1201"

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int = 0,
        function: str = "",
    ) -> None:
        super().__init__(_placed(message, file, line, function))
        self.file = file
        self.line = line
        self.function = function


class UnknownWorkflowError(PerdureError):
    """No worker of this process has the run's workflow type; it waits for a deploy that has."""

    code: ClassVar[str] = "PRD1203"

    def __init__(self, workflow_type: str) -> None:
        super().__init__(
            f"no workflow {workflow_type!r} is registered here: add it to `workflows=[…]`"
        )
        self.workflow_type = workflow_type


class EncodeError(PerdureError):
    """A value cannot be represented in every language; `path` says which part."""

    code: ClassVar[str] = "PRD1300"

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class DecodeError(PerdureError):
    """Recorded bytes do not fit the type that the code declares; `path` says where."""

    code: ClassVar[str] = "PRD1301"

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class EncodedPayloadError(PerdureError):
    """A stored payload is encoded, and nobody here has decoded it; the run that needs it is parked.

    Args:
        encoding: What it is encoded with, such as `aes-gcm, key 2026-11`.
    """

    code: ClassVar[str] = "PRD1303"

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"the payload is encoded with {encoding}, and no codec here decodes it: give the data "
            "converter the codec and the key that it was encoded with"
        )
        self.encoding = encoding


class SecretNotFoundError(PerdureError):
    """The worker has no value for a secret; the attempt is made again, by its retry policy."""

    code: ClassVar[str] = "PRD1307"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"this worker has no secret {name!r}: set the environment variable, or give it by "
            "Worker(secrets=…)"
        )
        self.name = name


class PayloadTooLargeError(EncodeError):
    """A value is larger than any store or worker can take."""

    code: ClassVar[str] = "PRD1302"


class WorkflowAlreadyStartedError(PerdureError):
    """A run already has this workflow id: an open one, or a closed one that bars another."""

    code: ClassVar[str] = "PRD1400"

    def __init__(self, workflow_id: str, run_id: str, *, is_open: bool = True) -> None:
        has = "is already open as" if is_open else "may not be used again after"
        super().__init__(f"workflow id {workflow_id!r} {has} run {run_id}")
        self.workflow_id = workflow_id
        self.run_id = run_id
        self.is_open = is_open
        """Whether that run is open; else the start's `id_reuse_policy` has refused it."""


class ScheduleAlreadyRunningError(PerdureError):
    """There is a schedule of this id already."""

    code: ClassVar[str] = "PRD1408"

    def __init__(self, schedule_id: str) -> None:
        super().__init__(
            f"there is a schedule {schedule_id!r} already: update it, or delete it first"
        )
        self.schedule_id = schedule_id


class WorkflowFailureError(PerdureError):
    """The awaited run did not complete; `cause` says why."""

    code: ClassVar[str] = "PRD1401"

    def __init__(self, message: str, *, run_id: str, status: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.status = status

    @property
    def cause(self) -> BaseException | None:
        """The failure that ended the run."""
        return self.__cause__


class WorkflowContinuedAsNewError(WorkflowFailureError):
    """The awaited run goes on in another, and was awaited alone (`follow_runs=False`)."""

    code: ClassVar[str] = "PRD1406"

    def __init__(self, message: str, *, run_id: str, status: str, next_run_id: str) -> None:
        super().__init__(message, run_id=run_id, status=status)
        self.next_run_id = next_run_id
        """The run that goes on."""


class WorkflowParkedError(PerdureError):
    """The awaited run is parked: a bug stopped it, and corrected code resumes it."""

    code: ClassVar[str] = "PRD1402"

    def __init__(self, message: str, *, run_id: str, reason: str, traceback: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.reason = reason
        self.traceback = traceback


class WorkflowQueryFailedError(PerdureError):
    """A query has no handler, or its handler raised; `__cause__` says what. The run is unharmed."""

    code: ClassVar[str] = "PRD1305"


class WorkflowUpdateFailedError(PerdureError):
    """An update was refused or its handler failed; `__cause__` says what. The run is unharmed."""

    code: ClassVar[str] = "PRD1306"

    def __init__(self, message: str, *, update_id: str) -> None:
        super().__init__(message)
        self.update_id = update_id


class NotFoundError(PerdureError):
    """There is no such run, or the run has no such update."""

    code: ClassVar[str] = "PRD1403"


class RunClosedError(PerdureError):
    """The run is closed and takes no messages."""

    code: ClassVar[str] = "PRD1404"

    def __init__(self, message: str, *, run_id: str, status: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.status = status


class ResetRefusedError(PerdureError):
    """A run cannot be reset or forked as it was asked for; the message says what can be."""

    code: ClassVar[str] = "PRD1412"

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class InvalidQueryError(PerdureError):
    """A query for runs cannot be read; the message shows where."""

    code: ClassVar[str] = "PRD1407"

    def __init__(self, message: str, query: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.query = query
        self.position = position
        """The character at which it stops making sense, from 0."""


class AsyncActivityNotFoundError(PerdureError):
    """No attempt waits under this token: it is over, was replaced by another, or never was."""

    code: ClassVar[str] = "PRD1410"


class AsyncActivityCancelledError(PerdureError):
    """The workflow asks the attempt to stop: clean up, then call `report_cancellation`."""

    code: ClassVar[str] = "PRD1411"


class NoWorkerError(PerdureError):
    """Nobody serves the task queue, so that nothing would ever happen."""

    code: ClassVar[str] = "PRD1405"


class ServerError(PerdureError):
    """The engine or a connection to it failed; the message says what to do."""

    code: ClassVar[str] = "PRD1500"


class StoreError(ServerError):
    """The store cannot be used; the message says what to do."""

    code: ClassVar[str] = "PRD1501"


class StoreOwnedError(StoreError):
    """Another process owns the store and this worker was not to wait (`standby=False`)."""

    code: ClassVar[str] = "PRD1502"


class StoreDamagedError(StoreError):
    """The store is truncated, altered, of a newer format, or no store at all."""

    code: ClassVar[str] = "PRD1503"


class PayloadCodecError(StoreError):
    """A payload codec cannot encode, so that nothing is written; or says why it cannot decode."""

    code: ClassVar[str] = "PRD1504"


class ContinueAsNew(BaseException):
    """Leaves workflow code whose run goes on in another: `workflow.continue_as_new` raises it.

    User code should never catch it.

    Args:
        arguments: What the next run is called with, encoded.
        options: What else differs.
    """

    def __init__(self, arguments: bytes, options: dict[str, Any]) -> None:
        super().__init__("the run goes on in another")
        self.arguments = arguments
        self.options = options


class RunEvicted(BaseException):
    """Unwinds workflow code whose run left the cache. User code should never catch it."""


class RunInterrupted(BaseException):
    """Stops workflow code that held the loop for too long. User code should never catch it."""
