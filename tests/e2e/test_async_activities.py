"""B8: activities that somebody else completes, by token, over restarts and from other processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from perdure import Client, RetryPolicy, Worker, activity, workflow
from perdure.activity import ActivityCancellationType
from perdure.client import AsyncActivityHandle, WorkflowHandle, _port
from perdure.errors import (
    ApplicationError,
    AsyncActivityCancelledError,
    AsyncActivityNotFoundError,
    NotFoundError,
    NoWorkerError,
    WorkflowFailureError,
)
from tests.e2e.conftest import Serve
from tests.e2e.waiting import until

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1))
tokens: list[bytes] = []
"""Of attempts that wait for somebody; from any thread."""


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    tokens.clear()
    asyncio.run(asyncio.wait_for(test(), 60))


@activity.defn(retry_policy=QUICK, start_to_close_timeout=timedelta(minutes=5))
async def asks_somebody() -> str:
    tokens.append(activity.info().task_token)
    activity.raise_complete_async()


@activity.defn(retry_policy=QUICK)
def asks_from_a_thread() -> str:
    tokens.append(activity.info().task_token)
    activity.raise_complete_async()


@activity.defn
async def needs_a_slot() -> str:
    return "ran"


@workflow.defn
async def waits() -> str:
    return await asks_somebody()


@workflow.defn
async def waits_for_a_thread() -> str:
    return await asks_from_a_thread()


@workflow.defn
async def takes_it_back() -> str:
    kind = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    call = asyncio.ensure_future(asks_somebody.options(cancellation_type=kind)())
    await asyncio.sleep(0.05)
    call.cancel()
    try:
        return await call
    except asyncio.CancelledError:
        return "cancelled"


@workflow.defn
async def then_runs_another() -> list[str]:
    waiting = asyncio.ensure_future(asks_somebody())
    await asyncio.sleep(0)
    ran = await needs_a_slot()
    return [ran, await waiting]


ALL: list[Any] = [waits, waits_for_a_thread, takes_it_back, then_runs_another]
ACTIVITIES: list[Any] = [asks_somebody, asks_from_a_thread, needs_a_slot]


def test_b8_the_outcome_comes_by_token_and_takes_no_slot(serve: Serve) -> None:
    async def body() -> None:
        async with serve(ALL, ACTIVITIES, max_concurrent_activities=1) as client:
            handle = await client.start_workflow(then_runs_another)
            token = await next_token()
            await detached(handle)
            await client.get_async_activity_handle(task_token=token).complete("done")
            assert await handle.result() == ["ran", "done"]

    run(body)


def test_b8_a_thread_may_ask_for_it_too(serve: Serve) -> None:
    async def body() -> None:
        async with serve(ALL, ACTIVITIES) as client:
            handle = await client.start_workflow(waits_for_a_thread)
            token = await next_token()
            await client.get_async_activity_handle(task_token=token.hex()).complete("done")
            assert await handle.result() == "done"

    run(body)


def test_b8_it_outlives_its_worker_and_a_wrong_or_old_token_is_refused(store: str) -> None:
    async def body() -> None:
        client = await Client.connect(store)
        async with Worker(client, workflows=ALL, activities=ACTIVITIES):
            handle = await client.start_workflow(waits)
            first = await next_token()
            refused = client.get_async_activity_handle(task_token=first[:-1] + b"\0\0"[:1])
            with pytest.raises(AsyncActivityNotFoundError):
                await refused.complete("forged")
        async with Worker(client, workflows=ALL, activities=ACTIVITIES):
            attempt = client.get_async_activity_handle(task_token=first)
            await attempt.heartbeat({"at": 1})
            await attempt.fail(ApplicationError("once more"))
            second = await next_token()
            assert second != first
            with pytest.raises(AsyncActivityNotFoundError):
                await attempt.complete("too late")
            with pytest.raises(AsyncActivityNotFoundError):
                await attempt.heartbeat()
        async with Worker(client, workflows=ALL, activities=ACTIVITIES):
            (pending,) = await handle.pending_activities()
            assert pending.attempt == 2
            number = pending.number
            nobody = client.get_async_activity_handle(workflow_id="none", number=number)
            with pytest.raises(NotFoundError):
                await nobody.complete()
            attempt = client.get_async_activity_handle(run_id=handle.run_id, number=pending.number)
            await attempt.heartbeat()
            workflow_id = handle.id
            attempt = client.get_async_activity_handle(workflow_id=workflow_id, number=number)
            assert "not looked up" in repr(attempt)
            await attempt.complete("done")
            assert await handle.result() == "done"
            with pytest.raises(AsyncActivityNotFoundError):
                await attempt.complete("twice")
        assert not tokens

    run(body)


@pytest.mark.parametrize("fails", [False, True])
def test_b8_an_outcome_given_while_no_worker_runs_is_kept(
    store: str, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    async def body() -> None:
        client = await Client.connect(store)
        async with Worker(client, workflows=ALL, activities=ACTIVITIES):
            handle = await client.start_workflow(waits)
            token = await next_token()
        attempt = client.get_async_activity_handle(task_token=token)
        monkeypatch.setattr(_port, "NO_WORKER_SECONDS", 0.0)
        outcome = (
            attempt.fail(ApplicationError("no", non_retryable=True))
            if fails
            else attempt.complete("done")
        )
        with pytest.raises(NoWorkerError, match="the message is kept"):
            await outcome
        monkeypatch.undo()
        async with Worker(client, workflows=ALL, activities=ACTIVITIES):
            if fails:
                with pytest.raises(WorkflowFailureError):
                    await handle.result()
            else:
                assert await handle.result() == "done"
        assert not tokens

    run(body)


def test_b8_another_process_completes_it(store: str, serve: Serve) -> None:
    async def body() -> None:
        async with serve(ALL, ACTIVITIES) as client:
            handle = await client.start_workflow(waits)
            first = await next_token()
            assert await perdure("fail", first, store, "--reason", "not yet") == (0, "failed\n")
            second = await next_token()
            assert await perdure("complete", first, store) == (3, "")
            given = await perdure("complete", second, store, "--result", '"done"')
            assert given == (0, "completed\n")
            assert await handle.result() == "done"

    run(body)


def test_b4_a_cancel_reaches_whoever_is_at_work(serve: Serve) -> None:
    async def body() -> None:
        async with serve(ALL, ACTIVITIES) as client:
            handle = await client.start_workflow(takes_it_back)
            attempt = client.get_async_activity_handle(task_token=await next_token())
            with pytest.raises(AsyncActivityCancelledError):
                await beats_for_ever(attempt)
            await attempt.report_cancellation("half done")
            assert await handle.result() == "cancelled"

    run(body)


async def beats_for_ever(attempt: AsyncActivityHandle) -> None:
    while True:
        await attempt.heartbeat()
        await asyncio.sleep(0)


async def detached(handle: WorkflowHandle[Any]) -> None:
    while True:
        pending = await handle.pending_activities()
        if any(each.progress == "completes asynchronously" for each in pending):
            return
        await asyncio.sleep(0)


async def next_token() -> bytes:
    await until(lambda: bool(tokens))
    return tokens.pop(0)


async def perdure(verb: str, token: bytes, store: str, *options: str) -> tuple[int, str]:
    command = (sys.executable, "-m", "perdure.cli", "activity", verb, token.hex())
    process = await asyncio.create_subprocess_exec(
        *command, "--store", store, *options, stdout=-1, stderr=-3
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
