"""What an agent's context costs that grows by 2 KiB a step and is passed to every step."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from benches.end_to_end.figures import report, settings, store_folder
from benches.end_to_end.serving import serve
from perdure import activity, workflow

__all__ = ["grows_by_messages", "next_message"]

_STEPS = 200
_MESSAGE_LETTERS = 2_048
_LETTERS = "abcdefghijklmnopqrstuvwxyz      "


@activity.defn
async def next_message(context: list[str]) -> str:
    # Like no other: what is shared is shared because it is the same message.
    letters = random.Random(len(context)).choices(_LETTERS, k=_MESSAGE_LETTERS)
    return "".join(letters)


@workflow.defn
async def grows_by_messages(steps: int) -> int:
    context: list[str] = []
    for _ in range(steps):
        context.append(await next_message(context))
    return sum(len(message) for message in context)


def main() -> None:
    """The store's files once everything is copied into them."""
    settings()
    with store_folder() as folder:
        added = asyncio.run(_run(folder))
        stored = sum(file.stat().st_size for file in folder.iterdir() if file.is_file())
    report("growing_context_200_steps_stored_bytes", stored)
    report("growing_context_200_steps_stored_ratio", stored / added)


async def _run(folder: Path) -> int:
    async with serve(folder, [grows_by_messages], [next_message]) as client:
        return await client.execute_workflow(grows_by_messages, _STEPS)


if __name__ == "__main__":
    main()
