"""`perdure worker` finds its NATS server in the variables that workers of services read."""

from __future__ import annotations

from typing import Any

import pytest

from perdure.cli._exit import CommandError
from perdure.cli.worker import nats_of_environment
from perdure.worker import NatsOptions
from tests.conformance.access import environment

URL = "tls://nats.example:4222"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {
        "token": "t",
        "user": ("u", "p"),
        "credentials_file": "c",
        "nkey_seed_file": "n",
        "authority_file": "a",
        "certificate_files": ("x", "y"),
    }
    for name in environment(URL, shown):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "shown",
    [
        {"token": "t"},
        {"user": ("ada", "secret")},
        {"credentials_file": "user.creds"},
        {"nkey_seed_file": "user.nk", "authority_file": "authority.pem"},
        {"authority_file": "a.pem", "certificate_files": ("client.pem", "client-key.pem")},
    ],
    ids=lambda shown: "-".join(shown),
)
def test_every_way_in_is_read(monkeypatch: pytest.MonkeyPatch, shown: dict[str, Any]) -> None:
    for name, value in environment(URL, shown).items():
        monkeypatch.setenv(name, value)
    assert nats_of_environment() == NatsOptions(URL, **shown)


def test_without_an_address_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_NATS_TOKEN", "t")
    assert nats_of_environment() is None


def test_a_certificate_without_its_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_NATS_URL", URL)
    monkeypatch.setenv("PERDURE_NATS_CERT", "client.pem")
    with pytest.raises(CommandError, match="go together"):
        nats_of_environment()
