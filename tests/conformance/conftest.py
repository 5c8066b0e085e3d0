"""One stand for each language and transport, kept for the whole session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from perdure.worker import StdioService
from tests.conformance.nats import NatsServer
from tests.conformance.stand import ForeignWorker, Stand, languages, worker_program


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path_factory.mktemp("nats"))
    yield server
    server.kill()


@pytest.fixture(scope="session", params=languages())
def language(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session", params=["stdio", "nats"])
def transport(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.fixture(scope="session")
def stand(
    language: str,
    transport: str,
    nats_server: NatsServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stand]:
    directory = tmp_path_factory.mktemp(f"{language}-{transport}")
    if transport == "stdio":
        service = StdioService("conformance", [worker_program(language)])
        stand = Stand(directory, services=[service])
        assert stand.call("echo", "ready") == "ready"
        yield stand
        stand.close()
        return
    namespace = f"{language}-conformance"
    worker = ForeignWorker(language, nats_server, namespace)
    stand = Stand(directory, namespace=namespace, server=nats_server)
    assert stand.call("echo", "ready") == "ready"
    yield stand
    stand.close()
    assert worker.stop() == 0
