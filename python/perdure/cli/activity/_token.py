"""Which attempt a command means."""

from __future__ import annotations

import argparse

from perdure.cli._exit import CommandError
from perdure.cli._options import add_output, add_store, connect
from perdure.client import AsyncActivityHandle

__all__ = ["add_token", "find_attempt"]


def add_token(parser: argparse.ArgumentParser) -> None:
    """The token, the store and `-o`."""
    parser.add_argument(
        "token", metavar="TOKEN", help="activity.info().task_token.hex(), told by the activity"
    )
    add_store(parser)
    add_output(parser)


async def find_attempt(options: argparse.Namespace) -> AsyncActivityHandle:
    """The attempt of the token.

    Raises:
        CommandError: The text is no token.
    """
    client = await connect(options)
    try:
        return client.get_async_activity_handle(task_token=options.token)
    except ValueError as error:
        raise CommandError(f"{options.token!r} is no task token: {error}") from error
