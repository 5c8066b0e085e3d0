"""Answers to queries: from live instances, and from the whole history of closed runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from perdure._core import StoreReader
from perdure.client._answer import Answer
from perdure.client._codecs import codec_of
from perdure.convert import failure_of
from perdure.errors import ServerError, StoreError
from perdure.instance._instance import Instance

if TYPE_CHECKING:
    from pathlib import Path

    from perdure._core._instance import RecordedHistory
    from perdure.worker._queues import ServedQueues
    from perdure.worker._watchdog import Watchdog

__all__ = ["SLICE_US", "answer_query", "query_closed_run"]

SLICE_US = 2_000
"""How long workflows may hold the host's loop before it gets a turn of its own."""


def answer_query(instance: Instance | None, name: str, arguments: bytes) -> Answer:
    """What the instance answers; a handler that raises fails the query alone."""
    try:
        if instance is None:
            raise ServerError("the run has just left the cache: ask again")
        return Answer("query_answered", result=instance.handlers.queries.answer(name, arguments))
    except (Exception, asyncio.CancelledError) as error:
        # Whatever it raises, other runs wait for what comes after it.
        return Answer("query_failed", failure=failure_of(error))


async def query_closed_run(
    path: Path, queues: ServedQueues, fields: dict[str, Any], watchdog: Watchdog
) -> Answer:
    """Replays a closed run as far as its history goes, and asks it."""
    try:
        codec = codec_of(path)
        history = await asyncio.to_thread(lambda: StoreReader(path, codec).recorded(fields["run"]))
    except StoreError as error:
        return Answer("query_failed", failure=failure_of(error))
    instance = Instance(queues.any_workflow, history.run_id, 0)
    try:
        await _replay(history, instance, watchdog)
        return watchdog.answer(instance, fields["name"], fields["arguments"])
    except Exception as error:
        # Code that no longer fits, or a workflow that nobody hosts any more.
        return Answer("query_failed", failure=failure_of(error))
    finally:
        instance.evict()


async def _replay(history: RecordedHistory, instance: Instance, watchdog: Watchdog) -> None:
    history.lend(instance)
    try:
        while True:
            if watchdog.drive(instance, SLICE_US):
                break
            await asyncio.sleep(0)
        if instance.bug is not None:
            raise instance.bug
    finally:
        history.take_back(instance)
