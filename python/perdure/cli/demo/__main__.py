"""The demo's engine as a process of its own, for the tour that kills it.

`python -m perdure.cli.demo STORE [COMMAND…]` serves the store; the command is the foreign worker.
"""

from __future__ import annotations

import asyncio
import sys

from perdure.cli.demo._program import greet, welcome, welcome_in_python
from perdure.client import Client
from perdure.worker import StdioService, Worker


async def _serve(store: str, command: list[str]) -> None:
    client = await Client.connect(store)
    services = [StdioService("badges", command)] if command else []
    await Worker(
        client, workflows=[welcome, welcome_in_python], activities=[greet], services=services
    ).run()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2:]))
