"""Deployments of workers: which version new runs begin on, and what still runs on which."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure._core import StoreReader
from perdure.deployment import (
    CURRENT,
    DEPLOYMENT_TYPE,
    ID_PREFIX,
    RAMPING,
    RAMPING_PERCENTAGE,
    DeploymentWorkflow,
)
from perdure.errors import NotFoundError
from perdure.schedule._workflow import SYSTEM_TASK_QUEUE
from perdure.versioning import WorkerDeploymentVersion

if TYPE_CHECKING:
    from pathlib import Path

    from perdure.client._client import Client
    from perdure.client._handle import WorkflowDescription

__all__ = ["VersionUsage", "WorkerDeployment", "WorkerDeployments"]

_VERSION = "PerdureDeploymentVersion"
_OPEN = "CloseTime IS NULL"


@dataclass(frozen=True, slots=True)
class VersionUsage:
    """What is open on one version."""

    version: WorkerDeploymentVersion
    pinned: int
    """Open runs that stay on it."""
    auto_upgrade: int
    """Open runs that are on it and go on to the current version with their next turn."""

    takes_runs: bool
    """Whether it is the current or the ramping version."""

    @property
    def is_drained(self) -> bool:
        """Whether its workers may go: no run is pinned to it, and none is sent to it."""
        return self.pinned == 0 and not self.takes_runs


@dataclass(frozen=True, slots=True)
class WorkerDeployment:
    """How a deployment stands."""

    name: str
    current_version: WorkerDeploymentVersion | None
    """Where runs go that are not pinned; None until it is set."""
    ramping_version: WorkerDeploymentVersion | None
    """Where a share of them goes instead; None for nowhere."""
    ramping_percentage: float
    """How large that share is, from 0 to 100."""
    versions: tuple[VersionUsage, ...]
    """The versions with open runs, and the two above, by build."""


class WorkerDeployments:
    """The deployments of a client's namespace."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def set_current_version(
        self, version: WorkerDeploymentVersion
    ) -> WorkerDeploymentVersion | None:
        """Sends new runs, and open ones that are not pinned, to a version; gives the one before.

        Args:
            version: The version; a worker of it may come later, runs wait for it.

        Raises:
            NoWorkerError: No engine has come for 5 s.
        """
        before = await self._client.execute_update_with_start(
            DeploymentWorkflow.set_current,
            version.build_id,
            workflow=DeploymentWorkflow.run,
            id=ID_PREFIX + version.deployment_name,
            task_queue=SYSTEM_TASK_QUEUE,
        )
        return _version(version.deployment_name, before)

    async def set_ramping_version(
        self, version: WorkerDeploymentVersion, *, percentage: float
    ) -> None:
        """Sends a share of what goes to the current version to another one.

        The share is chosen by the workflow id, so that a run stays with what it was sent to while
        the share grows.

        Args:
            version: The version.
            percentage: How much of it, from 0 to 100; 0 ends the ramp.

        Raises:
            WorkflowUpdateFailedError: It is the current version, or there is no such share.
            NoWorkerError: No engine has come for 5 s.
        """
        await self._client.execute_update_with_start(
            DeploymentWorkflow.set_ramping,
            version.build_id if percentage else "",
            percentage,
            workflow=DeploymentWorkflow.run,
            id=ID_PREFIX + version.deployment_name,
            task_queue=SYSTEM_TASK_QUEUE,
        )

    async def describe(self, name: str) -> WorkerDeployment:
        """How a deployment stands, and which of its versions still have open runs.

        Args:
            name: The deployment.

        Raises:
            NotFoundError: No version of it was ever set, and no open run is on one.
        """
        client = self._client
        usages = await asyncio.to_thread(_usages, client.path, client.namespace)
        async for run in client.list_workflows(workflow_id=ID_PREFIX + name, limit=1):
            return _deployment(name, run, usages)
        if name not in usages:
            raise NotFoundError(f"there is no deployment {name!r}: set its current version")
        return _deployment(name, None, usages)

    async def list(self) -> AsyncIterator[WorkerDeployment]:
        """All deployments, newest first, then those of open runs that no version was set of."""
        client = self._client
        usages = await asyncio.to_thread(_usages, client.path, client.namespace)
        seen: set[str] = set()
        async for run in client.list_workflows(_OPEN, workflow_type=DEPLOYMENT_TYPE):
            name = run.workflow_id.removeprefix(ID_PREFIX)
            seen.add(name)
            yield _deployment(name, run, usages)
        for name in sorted(usages.keys() - seen):
            yield _deployment(name, None, usages)


def _version(name: str, build_id: str) -> WorkerDeploymentVersion | None:
    return WorkerDeploymentVersion(name, build_id) if build_id else None


def _deployment(
    name: str, run: WorkflowDescription | None, usages: dict[str, dict[str, list[int]]]
) -> WorkerDeployment:
    attributes: dict[str, Any] = {} if run is None else dict(run.search_attributes)
    current = _version(name, attributes.get(CURRENT, ""))
    ramping = _version(name, attributes.get(RAMPING, ""))
    counts = dict(usages.get(name, {}))
    for version in (current, ramping):
        if version is not None:
            counts.setdefault(version.build_id, [0, 0])
    return WorkerDeployment(
        name,
        current,
        ramping,
        attributes.get(RAMPING_PERCENTAGE, 0.0),
        tuple(
            _usage(WorkerDeploymentVersion(name, build_id), each, (current, ramping))
            for build_id, each in sorted(counts.items())
        ),
    )


def _usage(
    version: WorkerDeploymentVersion,
    counts: Sequence[int],
    in_use: tuple[WorkerDeploymentVersion | None, ...],
) -> VersionUsage:
    pinned, moving = counts
    return VersionUsage(version, pinned, moving, version in in_use)


def _usages(path: Path, namespace: str) -> dict[str, dict[str, list[int]]]:
    """Open runs by deployment and build: those that are pinned, and the others."""
    found: dict[str, dict[str, list[int]]] = {}
    if not path.exists() or not path.stat().st_size:
        return found
    reader = StoreReader(path)
    names = {version for _, version, _ in reader.open_by_value(namespace, _VERSION)}
    for name in names:
        version = WorkerDeploymentVersion.parse(name)
        counts = [
            reader.count(
                f'{_VERSION} = "{name}" AND PerdureVersioningBehavior = "{behavior}" '
                "AND CloseTime IS NULL",
                (None, None, None, None),
                namespace=namespace,
            )
            for behavior in ("pinned", "auto_upgrade")
        ]
        found.setdefault(version.deployment_name, {})[version.build_id] = counts
    return found
