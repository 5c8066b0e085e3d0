"""A workflow that notes everything it sees; started by name in a fresh process."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from perdure import activity, workflow
from perdure._core import _native
from perdure.instance._replay import replay
from perdure.workflow._definition import definition_of

__all__ = ["note", "observe", "replayed", "seen", "square"]

seen: list[str] = []


def note(value: Any) -> None:
    """Keeps what the workflow saw."""
    seen.append(repr(value))  # noqa: PRD2701 - what the tests compare


@activity.defn
async def square(number: int) -> int:
    return number * number


@workflow.defn
async def observe(count: int) -> int:
    note(workflow.uuid4())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_square(number)) for number in range(count)]
    note([task.result() for task in tasks])
    done, _ = await asyncio.wait([asyncio.create_task(_square(number)) for number in range(count)])
    note([task.result() for task in done])
    await asyncio.sleep(0.01)
    note((workflow.now(), workflow.random("dice").random()))
    return await square(count)


async def _square(number: int) -> int:
    result = await square(number)
    note(result)
    return result


def replayed(history: _native.RecordedHistory) -> list[str]:
    """What the workflow sees when the history is replayed."""
    seen.clear()
    definition = definition_of(observe)
    replay(history, {definition.name: definition}).evict()
    return list(seen)


def main() -> None:
    """Replays the exported history of a file, and prints what was seen."""
    history = _native.RecordedHistory.from_json(Path(sys.argv[1]).read_text())
    print("\n".join(replayed(history)))


if __name__ == "__main__":
    main()
