"""Where the values of secrets come from."""

from __future__ import annotations

import os
from typing import Protocol

__all__ = ["EnvironmentSecrets", "SecretProvider"]


class SecretProvider(Protocol):
    """Gives the values of secrets: the front of a vault, or a plain `dict`.

    It is asked on the thread of the activity, which for an `async def` is the event loop: one that
    has to wait should fetch beforehand.
    """

    def get(self, name: str, /) -> str | bytes | None:
        """The value of a secret; None when there is none."""
        ...


class EnvironmentSecrets:
    """Secrets in the worker's environment variables.

    Args:
        prefix: What the names of the variables begin with; nothing by default.
    """

    def __init__(self, *, prefix: str = "") -> None:
        self._prefix = prefix

    def get(self, name: str, /) -> str | None:
        """The value of the variable; None when it is not set."""
        return os.environ.get(self._prefix + name)

    def __repr__(self) -> str:
        return f"EnvironmentSecrets(prefix={self._prefix!r})"
