"""B3 and B4: each way to cancel a call of this worker's own activities, which never heartbeat."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import Any

import pytest

from perdure import Client, activity, workflow
from perdure.activity import ActivityCancellationType
from perdure.workflow import ActivityHandle
from tests.e2e.conftest import Serve
from tests.e2e.waiting import until

LIMIT_SECONDS = 60.0
WAYS = ["async", "thread"]


class Watch:
    """What the activities of one test say, and what ends one that nobody cancels."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.released = threading.Event()

    async def next(self) -> str:
        """What was said next."""
        return await asyncio.to_thread(self.said.get, timeout=LIMIT_SECONDS)


watches: dict[str, Watch] = {}


@activity.defn
async def watch_async(name: str) -> str:
    watch = watches[name]
    watch.said.put("begun")
    try:
        await until(watch.released.is_set)
        word = "ended"
    except asyncio.CancelledError:
        word = "cancelled"
    watch.said.put(word)
    return word


@activity.defn
def watch_thread(name: str) -> str:
    watch = watches[name]
    watch.said.put("begun")
    while not activity.is_cancelled() and not watch.released.wait(0.005):
        pass
    word = "cancelled" if activity.is_cancelled() else "ended"
    watch.said.put(word)
    return word


@workflow.defn
class CancelWhenTold:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self, kind: str, way: str, name: str) -> str:
        handle: ActivityHandle[Any] = workflow.start_activity(
            watch_async if way == "async" else watch_thread,
            name,
            cancellation_type=ActivityCancellationType[kind],
        )
        await workflow.wait_condition(lambda: self.told)
        handle.cancel()
        try:
            return f"the value {await handle}"
        except asyncio.CancelledError:
            return "cancelled at once"

    @workflow.signal
    def cancel_now(self) -> None:
        self.told = True


async def _cancel(client: Client, kind: str, way: str, name: str) -> str:
    watches[name] = Watch()
    handle = await client.start_workflow(CancelWhenTold.run, kind, way, name)
    assert await watches[name].next() == "begun"
    await handle.signal(CancelWhenTold.cancel_now)
    return await handle.result()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("TRY_CANCEL", "cancelled at once"),
        ("WAIT_CANCELLATION_COMPLETED", "the value cancelled"),
    ],
)
def test_b3_b4_an_activity_hears_of_its_cancel(
    serve: Serve, way: str, kind: str, outcome: str
) -> None:
    async def scenario() -> None:
        async with serve([CancelWhenTold], [watch_async, watch_thread]) as client:
            assert await _cancel(client, kind, way, "one") == outcome
            assert await watches["one"].next() == "cancelled"

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_SECONDS))


@pytest.mark.parametrize("way", WAYS)
def test_b3_an_abandoned_activity_hears_of_nothing(serve: Serve, way: str) -> None:
    async def scenario() -> None:
        async with serve([CancelWhenTold], [watch_async, watch_thread]) as client:
            assert await _cancel(client, "ABANDON", way, "left") == "cancelled at once"
            # A later cancel overtakes none on its way.
            assert await _cancel(client, "TRY_CANCEL", way, "other") == "cancelled at once"
            assert await watches["other"].next() == "cancelled"
            watches["left"].released.set()
            assert await watches["left"].next() == "ended"

    asyncio.run(asyncio.wait_for(scenario(), LIMIT_SECONDS))
