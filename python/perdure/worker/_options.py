"""How a worker reaches services in other languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["NatsOptions", "StdioService"]


@dataclass(frozen=True, slots=True)
class StdioService:
    """A service whose workers are started on this host and spoken to over stdin and stdout."""

    name: str
    """The service."""
    command: Sequence[str]
    """The program and its arguments."""
    directory: Path | str | None = None
    """Its working directory; this process's own by default."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables beside this process's own; none by default."""
    processes: int = 1
    """How many processes; 1 by default."""


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """A NATS server, and as whom to speak to it."""

    url: str | None = None
    """Comma-separated addresses. None, the default, starts a server of one's own on loopback."""
    token: str | None = None
    """A token; none by default."""
    user: tuple[str, str] | None = None
    """A user and a password; none by default."""
    credentials_file: Path | str | None = None
    """A credentials file; none by default."""
    nkey_seed_file: Path | str | None = None
    """A file that holds an nkey seed; none by default."""
    authority_file: Path | str | None = None
    """A certificate authority's file, for TLS; none by default."""
    certificate_files: tuple[Path | str, Path | str] | None = None
    """A client certificate's file and its key's file; none by default."""
