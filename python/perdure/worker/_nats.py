"""The NATS server of a worker: a given one, or a supervised child of its own."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import sys
from collections.abc import Generator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure._core import NatsChild
from perdure.errors import ServerError

if TYPE_CHECKING:
    from perdure.worker._options import NatsOptions

__all__ = ["find_nats_server", "nats_address", "running_nats_server", "start_nats_server"]


def nats_address(options: NatsOptions) -> dict[str, Any]:
    """The fields of the address that are given."""
    given = {each.name: getattr(options, each.name) for each in fields(options)}
    return {name: value for name, value in given.items() if value is not None}


def find_nats_server() -> str | None:
    """The nats-server of this environment, or the one on the path."""
    beside = Path(sys.executable).parent / "nats-server"
    return str(beside) if beside.exists() else shutil.which("nats-server")


@contextlib.contextmanager
def running_nats_server(directory: Path) -> Generator[NatsChild]:
    """A nats-server of one's own for the length of a block.

    Raises:
        ServerError: There is none to start, or it does not listen.
    """
    server = start_nats_server(directory)
    try:
        yield server
    finally:
        server.stop()


def start_nats_server(directory: Path) -> NatsChild:
    """Starts a nats-server on a free port of loopback, with a random token.

    Raises:
        ServerError: There is none to start, or it does not listen.
    """
    program = find_nats_server()
    if program is None:
        raise ServerError(
            "no nats-server was found: pip install 'perdure[nats]', or give NatsOptions(url=…)"
        )
    return NatsChild(program, directory, secrets.token_urlsafe(24))
