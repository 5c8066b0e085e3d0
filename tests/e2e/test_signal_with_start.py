"""A signal that comes with a start reaches the open run, also when its sender is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from perdure import Client, Worker, workflow
from perdure.errors import NoWorkerError


@workflow.defn
class Inbox:
    def __init__(self) -> None:
        self.words: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: "end" in self.words)
        return self.words

    @workflow.signal
    def say(self, word: str) -> None:
        self.words.append(word)


def test_the_open_run_has_the_signal_of_a_start_that_found_no_worker(tmp_path: Path) -> None:
    async def test() -> None:
        client = await Client.connect(f"file:{tmp_path / 'app.db'}")
        async with Worker(client, workflows=[Inbox]):
            first = await client.start_workflow(Inbox.run, id="inbox")
        with pytest.raises(NoWorkerError, match="the message is kept"):
            await client.start_workflow(
                Inbox.run, id="inbox", start_signal=Inbox.say, start_signal_args=["kept"]
            )
        async with Worker(client, workflows=[Inbox]):
            await first.signal(Inbox.say, "end")
            assert await first.result() == ["kept", "end"]
            assert [run.run_id async for run in client.list_workflows()] == [first.run_id]

    asyncio.run(test())
