"""Deployments of workers for code that is not async."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perdure.client._deployments import WorkerDeployment, WorkerDeployments
    from perdure.client._sync import LoopThread
    from perdure.versioning import WorkerDeploymentVersion

__all__ = ["SyncWorkerDeployments"]


class SyncWorkerDeployments:
    """The deployments of a client's namespace; see `WorkerDeployments`."""

    def __init__(self, deployments: WorkerDeployments, loop: LoopThread) -> None:
        self._deployments = deployments
        self._loop = loop

    def set_current_version(
        self, version: WorkerDeploymentVersion
    ) -> WorkerDeploymentVersion | None:
        """Sends runs to a version. See `WorkerDeployments.set_current_version`."""
        return self._loop.call(self._deployments.set_current_version(version))

    def set_ramping_version(self, version: WorkerDeploymentVersion, *, percentage: float) -> None:
        """Sends a share of them to one. See `WorkerDeployments.set_ramping_version`."""
        self._loop.call(self._deployments.set_ramping_version(version, percentage=percentage))

    def describe(self, name: str) -> WorkerDeployment:
        """How a deployment stands. See `WorkerDeployments.describe`."""
        return self._loop.call(self._deployments.describe(name))

    def list(self) -> list[WorkerDeployment]:
        """All deployments. See `WorkerDeployments.list`."""

        async def collect() -> tuple[WorkerDeployment, ...]:
            return tuple([each async for each in self._deployments.list()])

        return [*self._loop.call(collect())]
