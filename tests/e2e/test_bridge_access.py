"""A given NATS server with every way in: who shows it works, who does not is told what to do."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from perdure.errors import ServerError
from tests.conformance.access import ACCESSES, Access, environment, options
from tests.conformance.nats import NatsServer
from tests.conformance.stand import ForeignWorker, Stand, languages


@pytest.fixture(params=ACCESSES)
def access(request: pytest.FixtureRequest, tmp_path: Path) -> Access:
    name: str = request.param
    return ACCESSES[name](tmp_path)


@pytest.fixture
def server(access: Access, tmp_path: Path) -> Generator[NatsServer]:
    server = NatsServer(tmp_path, access=access.configuration)
    yield server
    server.kill()


def test_whoever_shows_it_is_let_in(tmp_path: Path, access: Access, server: NatsServer) -> None:
    stand = Stand(tmp_path, nats=options(server.url, access.shown))
    try:
        for language in languages():
            worker = ForeignWorker(language, server, shown=environment(server.url, access.shown))
            try:
                assert stand.call("echo", language) == language
            finally:
                status = worker.stop()
            assert status == 0
    finally:
        stand.close()


def test_an_engine_that_does_not_is_told_what_to_do(
    tmp_path: Path, access: Access, server: NatsServer
) -> None:
    for wrong, shown in access.refused.items():
        with pytest.raises(ServerError, match=r"check (token|authority_file)") as raised:
            Stand(tmp_path, nats=options(server.url, shown))
        assert server.url in str(raised.value), wrong


@pytest.mark.parametrize("language", languages())
def test_a_worker_that_does_not_says_what_to_do_and_ends(
    access: Access, server: NatsServer, language: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for wrong, shown in access.refused.items():
        worker = ForeignWorker(language, server, shown=environment(server.url, shown))
        assert worker.wait() == 1, wrong
        said = capfd.readouterr().err
        assert "refuses" in said, wrong
        assert "PERDURE_NATS_" in said, wrong
