"""Task queues: what nobody serves waits and says so; workers of one process share an engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perdure import Client, Worker, activity, workflow
from perdure._core import StoreReader
from perdure.errors import NoWorkerError
from tests.e2e.waiting import until


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 60))


@activity.defn(name="where")
async def of_shop() -> str:
    return "shop"


@activity.defn(name="where")
async def of_default() -> str:
    return "default"


@activity.defn
def thread() -> str:
    return threading.current_thread().name


@workflow.defn
async def asks() -> str:
    return await workflow.execute_activity("where", result_type=str)


@workflow.defn
async def asks_elsewhere() -> str:
    return await workflow.execute_activity("where", result_type=str, task_queue="shop")


@workflow.defn
async def sleeps() -> str:
    await asyncio.sleep(3_600)
    return "slept"


@activity.defn
async def waits_long(notes: str) -> str:
    note(notes, "begun")
    try:
        await asyncio.sleep(3_600)
    except asyncio.CancelledError:
        note(notes, "cancelled")
        raise
    return "never"


def note(notes: str, text: str) -> None:
    Path(notes).write_text(text)


@workflow.defn
async def works_long(notes: str) -> str:
    return await waits_long(notes)


@workflow.defn
async def gives_up_at_once(times: int) -> int:
    given_up = 0
    for _ in range(times):
        try:
            await asyncio.wait_for(waits_long("/dev/null"), 0.000_3)
        except TimeoutError:
            given_up += 1
    return given_up


def parked(client: Client) -> bool:
    reader = StoreReader(client.path)
    return bool(reader.list(status="parked"))


def shop(client: Client, **options: Any) -> Worker:
    return Worker(
        client,
        task_queue="shop",
        workflows=[asks, sleeps, works_long],
        activities=[of_shop, thread, waits_long],
        **options,
    )


def default(client: Client, **options: Any) -> Worker:
    return Worker(
        client,
        workflows=[asks, asks_elsewhere, sleeps, gives_up_at_once],
        activities=[of_default, waits_long],
        **options,
    )


def test_a_queue_that_nobody_serves_is_named_after_5_s_and_the_run_is_kept(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        async with default(client):
            with pytest.raises(NoWorkerError, match='the task queue "shop": start a Worker'):
                await client.execute_workflow(asks, id="waits", task_queue="shop")
            handle = await client.get_workflow_handle("waits")
            description = await handle.describe()
            assert description.status == "parked"
            assert "shop" in (description.park_reason or "")
            async with shop(client):
                assert await handle.result() == "shop"

    run(test)


def test_a_worker_that_comes_within_5_s_is_waited_for(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        async with default(client):
            waits = asyncio.create_task(client.execute_workflow(asks, task_queue="shop"))
            await until(lambda: parked(client))
            async with shop(client):
                assert await waits == "shop"

    run(test)


def test_workers_of_one_process_share_an_engine_and_keep_their_queues_apart(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        async with default(client) as first, shop(client, standby=False) as second:
            assert first.is_serving
            assert second.is_serving
            assert await client.execute_workflow(asks) == "default"
            assert await client.execute_workflow(asks, task_queue="shop") == "shop"
            assert await client.execute_workflow(asks_elsewhere) == "shop"
            await first.shutdown()
            assert await client.execute_workflow(asks, task_queue="shop") == "shop"
            with pytest.raises(NoWorkerError):
                await client.execute_workflow(asks)

    run(test)


def test_a_live_run_of_a_queue_that_is_left_waits_for_the_next_worker(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        async with default(client):
            async with shop(client):
                handle = await client.start_workflow(sleeps, task_queue="shop")
            await handle.cancel()
            assert (await handle.describe()).status == "parked"
            async with shop(client):
                with pytest.raises(Exception, match="cancelled"):
                    await handle.result()

    run(test)


def test_a_second_worker_of_a_queue_stands_by_though_it_was_started_at_once(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        workers = [default(client), shop(client), shop(client)]
        await asyncio.gather(*(worker.__aenter__() for worker in workers))
        assert await client.execute_workflow(asks_elsewhere) == "shop"
        serving = [worker.is_serving for worker in workers]
        assert serving.count(True) == 2
        assert serving[0]
        for worker in workers:
            await worker.shutdown()

    run(test)


def test_a_worker_that_leaves_a_shared_engine_cancels_its_activities(
    store: str, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"

    async def test() -> None:
        client = await Client.connect(store)
        at_once = timedelta(milliseconds=10)
        async with default(client), shop(client, graceful_shutdown_timeout=at_once) as leaving:
            await client.start_workflow(works_long, str(notes), task_queue="shop")
            await until(notes.exists)
            await leaving.shutdown()
            assert notes.read_text() == "cancelled"

    run(test)


def test_a_call_that_is_cancelled_before_its_activity_has_begun_keeps_no_slot(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        async with default(client, max_concurrent_activities=2):
            assert await client.execute_workflow(gives_up_at_once, 50) == 50
            assert await client.execute_workflow(asks) == "default"

    run(test)


def test_a_worker_of_another_namespace_does_not_share_the_engine(store: str) -> None:
    async def test() -> None:
        client = await Client.connect(store)
        other = await Client.connect(store, namespace="other")
        async with default(client), shop(other) as second:
            assert second.is_standby

    run(test)
