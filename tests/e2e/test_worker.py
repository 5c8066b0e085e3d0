"""What a worker says of itself."""

from __future__ import annotations

import asyncio

from perdure import Client, NatsOptions, Worker


def test_a_worker_says_where_its_own_nats_server_is(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        worker = Worker(client, nats=NatsOptions())
        assert worker.nats_environment == {}
        async with worker:
            environment = worker.nats_environment
            assert environment["PERDURE_NATS_URL"].startswith("nats://127.0.0.1:")
            assert len(environment["PERDURE_NATS_TOKEN"]) == 32
            port = int(environment["PERDURE_NATS_URL"].rsplit(":", 1)[1])
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
        assert worker.nats_environment == {}

    asyncio.run(asyncio.wait_for(test(), 30))
