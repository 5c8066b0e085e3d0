"""`perdure worker FILE_OR_MODULE…`: hosts workflows and activities until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from pathlib import Path

from perdure.cli._configuration import Configuration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._hosting import hosting_worker, log_to_stderr
from perdure.cli._options import Commands, add_command, add_store, connect
from perdure.cli._program import Program, load
from perdure.client import Client
from perdure.versioning import (
    VersioningBehavior,
    WorkerDeploymentConfig,
    WorkerDeploymentVersion,
)
from perdure.worker import NatsOptions, Worker

__all__ = ["NATS_TOKEN_VARIABLE", "NATS_URL_VARIABLE", "add", "nats_of_environment"]

NATS_URL_VARIABLE = "PERDURE_NATS_URL"
NATS_TOKEN_VARIABLE = "PERDURE_NATS_TOKEN"
_LOOK_SECONDS = 0.05
_TEXT = """
Files and modules that are not named are the configuration's `modules`; its services are started
too, or reached over NATS where there is a server. A second worker on a store is a standby and
takes over when the first ends. SIGINT and SIGTERM let running activities end.
"""
logger = logging.getLogger("perdure.worker")


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(commands, "worker", "serve a store until stopped", execute, text=_TEXT)
    parser.add_argument("targets", metavar="FILE_OR_MODULE", nargs="*", help="what to host")
    parser.add_argument(
        "--task-queue", metavar="NAME", default="default", help="which queue to serve"
    )
    parser.add_argument(
        "--deployment-version",
        metavar="NAME:BUILD",
        help="which version the worker is; of no version by default",
    )
    parser.add_argument(
        "--default-versioning-behavior",
        choices=[each.value for each in VersioningBehavior],
        default=VersioningBehavior.AUTO_UPGRADE.value,
        help="for workflows that do not say it themselves; auto_upgrade by default",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse every call of workflow code that a replay could not repeat; slower",
    )
    add_store(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    log_to_stderr(logging.INFO)
    configuration = Configuration.find(Path.cwd())
    targets = options.targets or list(configuration.modules)
    if not targets:
        raise CommandError("what to host? Name files or modules, or list them in perdure.toml")
    program = load(targets, None if options.targets else configuration.directory)
    client = await connect(options, configuration=configuration)
    worker = hosting_worker(
        client,
        program,
        configuration,
        task_queue=options.task_queue,
        nats=nats_of_environment(),
        strict=options.strict,
        deployment_config=_deployment_config(options),
    )
    announcing = asyncio.create_task(_announce(worker, client, program))
    try:
        await worker.run()
    finally:
        announcing.cancel()
    logger.info("stopped")
    return ExitCode.OK


def _deployment_config(options: argparse.Namespace) -> WorkerDeploymentConfig | None:
    if options.deployment_version is None:
        return None
    try:
        version = WorkerDeploymentVersion.parse(options.deployment_version)
    except ValueError as error:
        raise CommandError(str(error)) from error
    behavior = VersioningBehavior(options.default_versioning_behavior)
    return WorkerDeploymentConfig(version, behavior)


def nats_of_environment() -> NatsOptions | None:
    """The server that the environment names, in the words that workers of services know."""
    given = os.environ.get
    url = given(NATS_URL_VARIABLE)
    if url is None:
        return None
    user, certificate, key = (given(f"PERDURE_NATS_{each}") for each in ("USER", "CERT", "KEY"))
    if (certificate is None) != (key is None):
        raise CommandError("PERDURE_NATS_CERT and PERDURE_NATS_KEY go together")
    return NatsOptions(
        url=url,
        token=given(NATS_TOKEN_VARIABLE),
        user=None if user is None else (user, given("PERDURE_NATS_PASSWORD", "")),
        credentials_file=given("PERDURE_NATS_CREDS"),
        nkey_seed_file=given("PERDURE_NATS_NKEY_SEED_FILE"),
        authority_file=given("PERDURE_NATS_CA"),
        certificate_files=None if certificate is None or key is None else (certificate, key),
    )


async def _announce(worker: Worker, client: Client, program: Program) -> None:
    """Says when the worker serves, and that it waits while another one does."""
    said_standby = False
    while not worker.is_serving:
        if worker.is_standby and not said_standby:
            said_standby = True
            logger.info("standby: another process owns %s; this one takes over", client.path)
        await asyncio.sleep(_LOOK_SECONDS)
    logger.info(
        "serving %s: workflows %s; activities %s",
        client.path,
        ", ".join(sorted(program.workflows)) or "none",
        ", ".join(sorted(program.activities)) or "none",
    )
