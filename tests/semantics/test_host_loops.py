"""E24, E25: what workflow code may not do of asyncio, and on which loops of the host it runs."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from perdure import Client, Worker, workflow
from perdure.errors import WorkflowParkedError
from perdure.testing import WorkflowEnvironment

LINE = "here it is refused"


async def _nothing() -> None:
    pass


async def _to_thread() -> None:
    await asyncio.to_thread(print)  # here it is refused


async def _executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, print)  # here it is refused


async def _socket() -> None:
    await asyncio.open_connection("localhost", 1)  # here it is refused


async def _subprocess() -> None:
    await asyncio.create_subprocess_exec("true")  # here it is refused


async def _nested() -> None:
    asyncio.run(_nothing())  # here it is refused


REFUSED = {each.__name__: each for each in (_to_thread, _executor, _socket, _subprocess, _nested)}


@workflow.defn
async def does(what: str) -> None:
    await REFUSED[what]()


@workflow.defn
async def orders() -> list[Any]:
    log: list[Any] = []

    async def step(name: str, seconds: float) -> str:
        await asyncio.sleep(seconds)
        log.append(name)
        return name

    done = await asyncio.gather(*(step(name, 3 - index) for index, name in enumerate("abc")))
    async with asyncio.TaskGroup() as group:
        for name in "de":
            group.create_task(step(name, 1))
    return [log, done]


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("what", sorted(REFUSED))
def test_e24_is_refused_at_the_line(what: str) -> None:
    async def scenario() -> str:
        async with (
            await WorkflowEnvironment.start_time_skipping() as env,
            Worker(env.client, workflows=[does]),
        ):
            with pytest.raises(WorkflowParkedError) as caught:
                await env.client.execute_workflow(does, what)
            return str(caught.value.traceback)

    traceback = asyncio.run(scenario())
    assert "NondeterminismError" in traceback
    assert LINE in traceback


async def _live(client: Client) -> Any:
    async with Worker(client, workflows=[orders]):
        return await client.execute_workflow(orders)


@pytest.mark.parametrize("debug", [False, True])
def test_e25_the_hosts_debug_mode_makes_no_difference(debug: bool) -> None:
    async def scenario() -> Any:
        async with await WorkflowEnvironment.start_time_skipping() as env:
            return await _live(env.client)

    expected = [["c", "b", "a", "d", "e"], ["a", "b", "c"]]
    assert asyncio.run(scenario(), debug=debug) == expected
    assert sys.get_coroutine_origin_tracking_depth() == 0
