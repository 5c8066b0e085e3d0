"""`perdure dev`: everything that a project's configuration declares, kept running."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from perdure.cli._child import Child, Log
from perdure.cli._configuration import Configuration, ServiceConfiguration
from perdure.cli._exit import CommandError, ExitCode
from perdure.cli._options import Commands, add_command, add_store, connect
from perdure.cli._output import notice
from perdure.cli._program import load
from perdure.cli.lint import notice_findings
from perdure.cli.worker import NATS_TOKEN_VARIABLE, NATS_URL_VARIABLE
from perdure.client import Client
from perdure.worker import NatsOptions, running_nats_server

__all__ = ["add"]

ENGINE = "engine"
_STATE = Path(".perdure")
_TEXT = """
It starts a worker of the configuration's modules, a nats-server if [nats] has no url, and the
declared services, shows their lines, and starts again what ends. Interrupt it to stop them all.
What `perdure lint` finds in the workflows is said first, and the worker is strict: it refuses every
call of workflow code that a replay could not repeat.
"""


def add(commands: Commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands, "dev", "run a project: engine, nats, services", execute, text=_TEXT
    )
    parser.add_argument(
        "targets", metavar="FILE_OR_MODULE", nargs="*", help="what to host, beside `modules`"
    )
    add_store(parser)


async def execute(options: argparse.Namespace) -> ExitCode:
    """Runs the command."""
    configuration = Configuration.find(Path.cwd())
    targets = [*configuration.modules, *map(_absolute, options.targets)]
    if not targets:
        raise CommandError('what to host? Write modules = ["app.py"] in perdure.toml')
    state = configuration.directory / _STATE
    default = f"file:{state / 'dev.db'}"
    client = await connect(options, configuration=configuration, default=default)
    client.path.parent.mkdir(parents=True, exist_ok=True)
    # A mistake in the modules is said here, once, and not by a worker that ends again and again.
    notice_findings(load(targets, configuration.directory))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with contextlib.ExitStack() as stack:
        nats = configuration.nats
        if nats is not None and nats.url is None:
            server = stack.enter_context(running_nats_server(state / "nats"))
            nats = NatsOptions(url=server.url, token=server.token)
            notice(f"nats-server: {server.url}")
        codec = None if options.codec is None else _absolute_object(options.codec)
        children = _children(configuration, client, targets, nats, codec)
        running = [asyncio.create_task(child.run()) for child in children]
        await stop.wait()
        notice("stopping")
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    return ExitCode.OK


def _absolute(target: str) -> str:
    """A file under the name that it has from everywhere; a dotted name as it is."""
    return str(Path(target).absolute()) if target.endswith(".py") else target


def _absolute_object(name: str) -> str:
    target, colon, attribute = name.rpartition(":")
    return _absolute(target) + colon + attribute


def _children(
    configuration: Configuration,
    client: Client,
    targets: list[str],
    nats: NatsOptions | None,
    codec: str | None,
) -> list[Child]:
    services = [
        service
        for service in configuration.services
        if service.transport == "nats" and nats is not None
    ]
    log = Log([ENGINE, *(name for service in services for name in _process_names(service))])
    environment = {} if nats is None else _nats_environment(nats)
    command = [sys.executable, "-m", "perdure.cli", "worker", "--strict", *targets]
    command += ["--store", f"file:{client.path}", "--namespace", client.namespace]
    command += [] if codec is None else ["--codec", codec]
    children = [Child(ENGINE, command, configuration.directory, log, environment)]
    for service in services:
        variables = {"PERDURE_NAMESPACE": client.namespace, **environment, **service.environment}
        children += [
            Child(name, service.command, service.directory, log, variables)
            for name in _process_names(service)
        ]
    return children


def _process_names(service: ServiceConfiguration) -> list[str]:
    if service.processes == 1:
        return [service.name]
    return [f"{service.name}-{number}" for number in range(1, service.processes + 1)]


def _nats_environment(nats: NatsOptions) -> dict[str, str]:
    """What SDKs read, in every language."""
    user, password = nats.user or (None, None)
    certificate, key = nats.certificate_files or (None, None)
    variables = {
        NATS_URL_VARIABLE: nats.url,
        NATS_TOKEN_VARIABLE: nats.token,
        "PERDURE_NATS_USER": user,
        "PERDURE_NATS_PASSWORD": password,
        "PERDURE_NATS_CREDS": nats.credentials_file,
        "PERDURE_NATS_NKEY_SEED_FILE": nats.nkey_seed_file,
        "PERDURE_NATS_CA": nats.authority_file,
        "PERDURE_NATS_CERT": certificate,
        "PERDURE_NATS_KEY": key,
    }
    return {name: str(value) for name, value in variables.items() if value is not None}
