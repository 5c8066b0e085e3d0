"""The sync client: the same verbs from code that is not async."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from perdure import Client, Worker, activity, workflow
from perdure.client import SyncClient
from perdure.errors import NotFoundError, WorkflowAlreadyStartedError, WorkflowFailureError


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
async def doubled(number: int) -> int:
    return await double(number)


@workflow.defn
async def waits() -> None:
    await asyncio.sleep(3_600)


def serve(store: str, ready: threading.Event, stop: threading.Event) -> None:
    async def serving() -> None:
        client = await Client.connect(store)
        async with Worker(client, workflows=[doubled, waits], activities=[double]):
            ready.set()
            await asyncio.to_thread(stop.wait)

    asyncio.run(serving())


@pytest.fixture
def client(store: str) -> Iterator[SyncClient]:
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=serve, args=(store, ready, stop))
    thread.start()
    try:
        assert ready.wait(30)
        with SyncClient.connect(store) as client:
            yield client
    finally:
        stop.set()
        thread.join()


def test_a_run_is_started_awaited_and_found(client: SyncClient) -> None:
    assert client.execute_workflow(doubled, 21) == 42
    handle = client.start_workflow(doubled, 4, id="d", run_timeout=timedelta(minutes=1))
    assert handle.result() == 8
    assert client.get_workflow_handle("d").run_id == handle.run_id
    assert [run.workflow_id for run in client.list_workflows(workflow_id="d")] == ["d"]
    assert handle.describe().status == "completed"
    assert handle.pending_activities() == []
    assert '"complete_run"' in handle.fetch_history()


def test_a_run_is_ended(client: SyncClient) -> None:
    cancelled, terminated = client.start_workflow(waits), client.start_workflow(waits, id="t")
    with pytest.raises(WorkflowAlreadyStartedError):
        client.start_workflow(waits, id="t")
    cancelled.cancel()
    terminated.terminate("enough")
    for handle, status in ((cancelled, "cancelled"), (terminated, "terminated")):
        with pytest.raises(WorkflowFailureError) as ended:
            handle.result()
        assert ended.value.status == status


def test_it_is_used_from_many_threads(client: SyncClient) -> None:
    results: list[int] = []

    def run(number: int) -> None:
        results.append(client.execute_workflow(doubled, number))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [number * 2 for number in range(8)]


def test_a_closed_client_says_so(store: str) -> None:
    client = SyncClient.connect(store)
    with pytest.raises(NotFoundError):
        client.get_workflow_handle("nobody")
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.get_workflow_handle("nobody")
