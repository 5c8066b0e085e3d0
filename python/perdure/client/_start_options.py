"""How a run is started; every field has a default."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypedDict

from perdure._core import encode
from perdure.convert import attribute_fields, memo_fields
from perdure.id_policy import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from perdure.priority import Priority
from perdure.retry import RetryPolicy
from perdure.search import SearchAttributes
from perdure.spans import check_span, microseconds
from perdure.workflow._message_handler import name_of

__all__ = ["DEFAULT_TASK_QUEUE", "StartOptions", "StartOptionsFields"]

DEFAULT_TASK_QUEUE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What a run is started with besides its workflow and that one's arguments."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Unique among open runs; a random one by default."""
    task_queue: str = DEFAULT_TASK_QUEUE
    """Who serves it; `default` by default."""
    run_timeout: timedelta | None = None
    """The longest the run may take; no limit by default."""
    execution_timeout: timedelta | None = None
    """Of the run and all that follow it; no limit by default."""
    start_delay: timedelta | None = None
    """How long the run, and what is sent to it, waits; not at all by default."""
    retry_policy: RetryPolicy | None = None
    """When a run that failed is followed by another attempt; never by default."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts that travel along, to every activity too; none by default."""
    request_id: str | None = None
    """Makes the start repeatable: with the same one it gives the same run, also after that has
    closed; a random one by default."""
    start_signal: str | Callable[..., Any] | None = None
    """A signal that the run handles before it begins; an open run of this id is sent it instead
    of an error; none by default."""
    start_signal_args: Sequence[Any] = ()
    """Its arguments; none by default."""
    memo: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the run says of itself to people, values by key; nothing by default."""
    search_attributes: SearchAttributes = field(default_factory=dict[Any, Any])
    """What the run is found by; nothing by default."""
    id_reuse_policy: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    """Whether closed runs of the id stand in the way; they do not by default."""
    id_conflict_policy: WorkflowIDConflictPolicy = WorkflowIDConflictPolicy.FAIL
    """What becomes of an open run of the id; by default it goes on, and the start fails."""
    priority: Priority = field(default_factory=Priority)
    """Which of the activity attempts that wait leaves first, of this run and its children; the
    middle of all by default."""

    def message(self) -> dict[str, Any]:
        """What these say in the message of a start.

        Raises:
            EncodeError: A value cannot travel.
            TypeError: An option is of another type.
            ValueError: The id is empty, a span is negative, or the policies contradict each other.
        """
        self._check_types()
        fields: dict[str, Any] = {
            "workflow_id": self.id,
            "task_queue": self.task_queue,
            "run_timeout_us": _microseconds("run_timeout", self.run_timeout),
            "execution_timeout_us": _microseconds("execution_timeout", self.execution_timeout),
            "start_delay_us": _microseconds("start_delay", self.start_delay),
            "retry": None if self.retry_policy is None else self.retry_policy.fields(),
            "headers": list(self.headers.items()),
            "memo": _without_none(memo_fields(self.memo)),
            "search_attributes": _without_none(attribute_fields(self.search_attributes)),
            "priority": self.priority.fields(),
        }
        fields |= self._id_policies()
        if self.start_signal is not None:
            fields["signal_name"] = name_of("signal", self.start_signal)
            fields["signal_arguments"] = encode(list(self.start_signal_args))
        return fields

    def _check_types(self) -> None:
        if not self.id:
            raise ValueError("a workflow id is not empty")
        for name, kind in _KINDS.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                raise TypeError(f"{name} is a {kind.__name__}, not {value!r}")

    def _id_policies(self) -> dict[str, str]:
        reuse, conflict = self.id_reuse_policy, self.id_conflict_policy
        if (
            reuse is WorkflowIDReusePolicy.REJECT_DUPLICATE
            and conflict is WorkflowIDConflictPolicy.TERMINATE_EXISTING
        ):
            raise ValueError(
                "REJECT_DUPLICATE and TERMINATE_EXISTING contradict each other: the run that is "
                "terminated would bar the new one. Choose ALLOW_DUPLICATE_FAILED_ONLY"
            )
        if self.start_signal is not None and conflict is WorkflowIDConflictPolicy.FAIL:
            # The open run takes the signal, which is no failure.
            conflict = WorkflowIDConflictPolicy.USE_EXISTING
        return {"id_reuse_policy": reuse.value, "id_conflict_policy": conflict.value}


_KINDS = {
    "id": str,
    "task_queue": str,
    "retry_policy": RetryPolicy,
    "id_reuse_policy": WorkflowIDReusePolicy,
    "id_conflict_policy": WorkflowIDConflictPolicy,
    "priority": Priority,
}


class StartOptionsFields(TypedDict, total=False):
    """The fields of `StartOptions` as keywords; None stands for the default."""

    id: str | None
    task_queue: str | None
    run_timeout: timedelta | None
    execution_timeout: timedelta | None
    start_delay: timedelta | None
    retry_policy: RetryPolicy | None
    headers: Mapping[str, str] | None
    request_id: str | None
    start_signal: str | Callable[..., Any] | None
    start_signal_args: Sequence[Any]
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | None
    id_reuse_policy: WorkflowIDReusePolicy | None
    id_conflict_policy: WorkflowIDConflictPolicy | None
    priority: Priority | None


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _microseconds(name: str, span: timedelta | None) -> int | None:
    check_span(name, span)
    if span is None:
        return None
    if span < timedelta(0):
        raise ValueError(f"{name} must not be negative, and is {span}")
    return microseconds(span)
