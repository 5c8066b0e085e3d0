"""What the end of a worker does to activities that it does not wait for: no run sees it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from perdure import Client, Worker, activity, workflow

begun = asyncio.Event()
holds = [True]
"""Whether attempts wait for ever: those of the first worker do."""


@activity.defn
async def works() -> int:
    if holds[0]:
        begun.set()
        await asyncio.Event().wait()
    return activity.info().attempt


@workflow.defn
async def waits() -> int:
    return await works()


@workflow.defn
async def waits_three_times() -> tuple[int, int, int]:
    return await asyncio.gather(works(), works(), works())


def test_an_attempt_that_a_shutdown_cuts_off_is_made_again(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        at_once = timedelta(0)

        def worker() -> Worker:
            return Worker(
                client,
                workflows=[waits, waits_three_times],
                activities=[works],
                max_concurrent_activities=2,
                graceful_shutdown_timeout=at_once,
            )

        async with worker():
            one = await client.start_workflow(waits)
            await begun.wait()
            three = await client.start_workflow(waits_three_times)
        holds[0] = False
        async with worker():
            assert await one.result() == 2
            # At most one of them can have begun; those without a slot lose no attempt.
            assert sorted(await three.result()) in ([1, 1, 1], [1, 1, 2])

    asyncio.run(asyncio.wait_for(test(), 30))
