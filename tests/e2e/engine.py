"""An engine in a process of its own, to be killed: serves a store over NATS until it ends.

`python -m tests.e2e.engine STORE URL TOKEN NAMESPACE`
"""

from __future__ import annotations

import asyncio
import sys

from perdure import Client, Worker
from perdure.worker import NatsOptions
from tests.conformance.service import WORKFLOWS


async def main() -> None:
    store, url, token, namespace = sys.argv[1:]
    client = await Client.connect(f"file:{store}", namespace=namespace)
    async with Worker(client, workflows=WORKFLOWS, nats=NatsOptions(url=url, token=token)):
        print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main())
