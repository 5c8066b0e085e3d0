"""How a command ends."""

from __future__ import annotations

import enum

__all__ = ["CommandError", "ExitCode"]


class ExitCode(enum.IntEnum):
    """What scripts may rely on; the guide lists them."""

    OK = 0
    FAILURE = 1
    """The run failed or is parked, or a check found something."""
    USAGE = 2
    """The command, its configuration or its program is not as it must be."""
    NOT_FOUND = 3
    NO_WORKER = 4
    """Nobody serves the store."""
    INTERRUPTED = 130


class CommandError(Exception):
    """What a command could not do, in one line that says what to do instead."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code
