"""A worker of what a program defines and what the project's configuration declares."""

from __future__ import annotations

import logging
import sys

from perdure.cli._configuration import Configuration
from perdure.cli._program import Program
from perdure.client import Client
from perdure.versioning import WorkerDeploymentConfig
from perdure.worker import NatsOptions, StdioService, Worker

__all__ = ["hosting_worker", "log_to_stderr"]


def hosting_worker(
    client: Client,
    program: Program,
    configuration: Configuration,
    *,
    task_queue: str = "default",
    nats: NatsOptions | None = None,
    strict: bool = False,
    deployment_config: WorkerDeploymentConfig | None = None,
) -> Worker:
    """The worker. A service is reached over NATS where there is a server, else over stdio.

    Args:
        task_queue: Which queue to serve; `default` by default.
        nats: A server beside the configured one: `perdure dev` starts one.
        strict: As the worker's own option.
        deployment_config: Which version it is; of no version by default.
    """
    if nats is None and configuration.nats is not None and configuration.nats.url is not None:
        nats = configuration.nats
    return Worker(
        client,
        task_queue=task_queue,
        workflows=list(program.workflows.values()),
        activities=list(program.activities.values()),
        services=_over_stdio(configuration, has_nats=nats is not None),
        nats=nats,
        service_limits={
            service.name: service.max_concurrent
            for service in configuration.services
            if service.max_concurrent is not None
        },
        strict=strict,
        deployment_config=deployment_config,
    )


def _over_stdio(configuration: Configuration, *, has_nats: bool) -> list[StdioService]:
    return [
        service.over_stdio()
        for service in configuration.services
        if not (has_nats and service.transport == "nats")
    ]


def log_to_stderr(level: int = logging.WARNING) -> None:
    """What workers have to say goes to stderr, a line each."""
    logging.basicConfig(
        level=level,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
