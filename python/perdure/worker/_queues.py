"""The task queues that an engine of this process serves, each with what one worker has for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from perdure.activity._definition import ActivityDefinition
from perdure.convert import shape_of
from perdure.versioning import VersioningBehavior
from perdure.workflow._definition import definition_of

if TYPE_CHECKING:
    from perdure._interceptor import Interceptor
    from perdure.secrets import SecretProvider
    from perdure.versioning import WorkerDeploymentConfig
    from perdure.workflow._definition import WorkflowDefinition

__all__ = ["ServedQueue", "ServedQueues"]

VersionFields: TypeAlias = tuple[tuple[str, str] | None, list[str]]
"""Deployment and build of the worker, and the workflow types of which runs stay on it."""
HostedFields: TypeAlias = tuple[
    str, list[str], int, int, float | None, list[tuple[str, int]], VersionFields
]
"""Name, workflow types, most activities and most sessions at once, most
activities that begin in a second, most attempts of one
activity at once, and the version."""
Key: TypeAlias = tuple[str, str | None]
"""A task queue, and the version of one of its workers."""


@dataclass(frozen=True, slots=True)
class ServedQueue:
    """What a worker has for its task queue."""

    task_queue: str
    workflows: Mapping[str, WorkflowDefinition[..., Any]]
    activities: Mapping[str, ActivityDefinition[..., Any]]
    max_concurrent_activities: int
    interceptors: tuple[Interceptor, ...] = ()
    activities_per_second: float | None = None
    secrets: SecretProvider | None = None
    """Where its activities find secrets; None: in the environment."""
    max_concurrent_sessions: int = 0
    deployment: WorkerDeploymentConfig | None = None

    @property
    def key(self) -> Key:
        """By what it is told from others: a queue may have workers of several versions."""
        return self.task_queue, None if self.deployment is None else str(self.deployment.version)

    @staticmethod
    def of(
        task_queue: str,
        workflows: Iterable[Any],
        activities: Iterable[Any],
        limits: tuple[int, float | None, int],
        interceptors: tuple[Interceptor, ...] = (),
    ) -> ServedQueue:
        """From what users pass to a worker.

        Raises:
            TypeError: Something that is neither workflow nor activity, or has types whose values
                cannot travel.
            ValueError: No such limit or rate.
        """
        slots, per_second, sessions = limits
        if slots < 1 or sessions < 0:
            raise ValueError(
                "max_concurrent_activities is at least 1 and max_concurrent_sessions at least 0, "
                f"not {slots} and {sessions}"
            )
        if per_second is not None and not 0 < per_second < math.inf:
            raise ValueError("activities per second: a number above zero, or None for no limit")
        served = ServedQueue(
            task_queue,
            {each.name: each.intercepted(interceptors) for each in map(definition_of, workflows)},
            {each.name: each for each in map(_activity_of, activities)},
            slots,
            interceptors,
            per_second,
            max_concurrent_sessions=sessions,
        )
        for workflow in served.workflows.values():
            _check_types(workflow.name, *workflow.parameter_types, workflow.result_type)
        for activity in served.activities.values():
            reference = activity.reference
            _check_types(activity.name, *reference.parameter_types, reference.result_type)
        return served


class ServedQueues:
    """All task queues of one engine; a queue has one worker, or one of each version."""

    def __init__(self) -> None:
        self._queues: dict[Key, ServedQueue] = {}
        self._workers: dict[Key, tuple[ServedQueue, ...]] = {}
        """By queue and version, or queue alone: its workers, the last that came first. Kept, since
        each attempt looks several times."""
        self.service_limits: dict[str, int] = {}
        """Most attempts at once of a service, by its name."""

    def __contains__(self, key: Key) -> bool:
        return key in self._queues

    def __len__(self) -> int:
        return len(self._queues)

    def serves(self, task_queue: str) -> bool:
        """Whether a worker of any version serves the queue."""
        return any(name == task_queue for name, _ in self._queues)

    def add(self, queue: ServedQueue) -> None:
        """Serves one more queue, or one more version of it."""
        self._queues[queue.key] = queue
        self._index()

    def remove(self, key: Key) -> None:
        """Serves it no longer."""
        self._queues.pop(key, None)
        self._index()

    def workflow(
        self, task_queue: str, name: str, version: str | None = None
    ) -> WorkflowDefinition[..., Any] | None:
        """The workflow of this name, of a version; None when the queue has none."""
        queue = self._queues.get((task_queue, version))
        return None if queue is None else queue.workflows.get(name)

    def any_workflow(self, task_queue: str, name: str) -> WorkflowDefinition[..., Any] | None:
        """The workflow of this name, of the newest version that has it."""
        for each in self._of(task_queue, None):
            if (found := each.workflows.get(name)) is not None:
                return found
        return None

    def activity(
        self, task_queue: str, name: str, version: str | None = None
    ) -> ActivityDefinition[..., Any] | None:
        """The activity of this name, of a version or else of the newest that has it."""
        for each in self._of(task_queue, version):
            if (found := each.activities.get(name)) is not None:
                return found
        return None

    def interceptors(self, task_queue: str, version: str | None) -> tuple[Interceptor, ...]:
        """What stands around the activities of the queue."""
        workers = self._of(task_queue, version)
        return workers[0].interceptors if workers else ()

    def secrets(self, task_queue: str, version: str | None) -> SecretProvider | None:
        """Where the activities of the queue find secrets; None: in the environment."""
        workers = self._of(task_queue, version)
        return workers[0].secrets if workers else None

    def slots(self, task_queue: str) -> int:
        """How many activities of the queue may run at once."""
        slots = sum(each.max_concurrent_activities for each in self._of(task_queue, None))
        return max(slots, 1)

    def _of(self, task_queue: str, version: str | None) -> tuple[ServedQueue, ...]:
        """The workers of a queue, the last that came first; of one version, if one is given."""
        return self._workers.get((task_queue, version), ())

    def _index(self) -> None:
        self._workers = {}
        for (name, version), queue in reversed(self._queues.items()):
            for key in {(name, None), (name, version)}:
                self._workers[key] = (*self._workers.get(key, ()), queue)

    def hosted(self) -> list[HostedFields]:
        """As the engine is told."""
        return [_hosted(queue) for queue in self._queues.values()]


def _hosted(queue: ServedQueue) -> HostedFields:
    limits = [
        (each.name, each.max_concurrent)
        for each in queue.activities.values()
        if each.max_concurrent is not None
    ]
    return (
        queue.task_queue,
        list(queue.workflows),
        queue.max_concurrent_activities,
        queue.max_concurrent_sessions,
        queue.activities_per_second,
        limits,
        _version_fields(queue),
    )


def _version_fields(queue: ServedQueue) -> VersionFields:
    if queue.deployment is None:
        return None, []
    version, default = queue.deployment.version, queue.deployment.default_versioning_behavior
    pinned = [
        each.name
        for each in queue.workflows.values()
        if (each.versioning_behavior or default) is VersioningBehavior.PINNED
    ]
    return (version.deployment_name, version.build_id), pinned


def _check_types(name: str, *hints: Any) -> None:
    """Here, and not when the first run comes."""
    for hint in hints:
        try:
            shape_of(hint)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from error


def _activity_of(value: Any) -> ActivityDefinition[..., Any]:
    if isinstance(value, ActivityDefinition):
        return cast("ActivityDefinition[..., Any]", value)
    raise TypeError(f"{value!r} is no activity: decorate it with @activity.defn")
