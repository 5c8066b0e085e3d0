"""Versions of workers, and which of them a run is stepped by."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = ["VersioningBehavior", "WorkerDeploymentConfig", "WorkerDeploymentVersion", "pin_of"]


class VersioningBehavior(enum.Enum):
    """What becomes of an open run when its deployment gets another version."""

    PINNED = "pinned"
    """It stays on the version that it began on, and waits while no worker has that."""
    AUTO_UPGRADE = "auto_upgrade"
    """It goes on to the current version with its next turn; patches keep its code fitting."""


@dataclass(frozen=True, slots=True)
class WorkerDeploymentVersion:
    """One build of what is deployed together.

    Raises:
        ValueError: A part is empty, or has a colon, which stands between the two.
    """

    deployment_name: str
    """What is deployed, such as `shop`."""
    build_id: str
    """Which build of it: a version, a date, a commit."""

    def __post_init__(self) -> None:
        for part in (self.deployment_name, self.build_id):
            if not part or ":" in part or "\0" in part:
                raise ValueError(f"{part!r} names no deployment or build: write it without a colon")

    @staticmethod
    def parse(text: str) -> WorkerDeploymentVersion:
        """The version that `str` gives as `shop:2026-11-25`.

        Raises:
            ValueError: It is no such text.
        """
        name, _, build_id = text.partition(":")
        return WorkerDeploymentVersion(name, build_id)

    def __str__(self) -> str:
        return f"{self.deployment_name}:{self.build_id}"


@dataclass(frozen=True, slots=True)
class WorkerDeploymentConfig:
    """Which version a worker is, and what runs do whose workflow does not say it."""

    version: WorkerDeploymentVersion
    """The version of this worker's code."""
    default_versioning_behavior: VersioningBehavior = VersioningBehavior.AUTO_UPGRADE
    """For workflows without `versioning_behavior`; `AUTO_UPGRADE` by default."""


def pin_of(override: WorkerDeploymentVersion | VersioningBehavior) -> str | None:
    """The version that a run is moved to; None for whichever is current.

    Raises:
        ValueError: `PINNED`, which does not say to what.
    """
    if override is VersioningBehavior.PINNED:
        raise ValueError("pinned to what? Give the WorkerDeploymentVersion")
    return str(override) if isinstance(override, WorkerDeploymentVersion) else None
