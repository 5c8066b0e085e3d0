"""The workflow's loop alone, beside CPython's floor: futures resolved one by one from Rust."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from benches.end_to_end.figures import best_rate, report, settings
from benches.end_to_end.floor import cpython_floor_steps_per_s
from perdure.instance._loop import WorkflowLoop

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = 100_000


def main() -> None:
    """The machine's speed drifts, so the floor is measured on both sides."""
    rounds = 5 if settings().fast else 20
    floor = cpython_floor_steps_per_s(_STEPS, rounds)
    rate = best_rate(_STEPS, rounds, resolve_in_turn)
    floor = max(floor, cpython_floor_steps_per_s(_STEPS, rounds))
    report("loop_steps_per_s", rate)
    report("loop_of_cpython_floor", rate / floor)


def resolve_in_turn() -> None:
    """One coroutine that awaits one C future after another, to its end."""
    make = cast("Callable[..., WorkflowLoop]", WorkflowLoop)
    loop = make(None, 0)
    waiting: list[asyncio.Future[Any]] = []

    async def workflow() -> None:
        for _ in range(_STEPS):
            future: asyncio.Future[None] = asyncio.Future(loop=loop)
            waiting.append(future)
            await future

    task = loop.inside(loop.create_task, workflow())
    assert loop.resolve_in_turn(waiting) == _STEPS
    task.result()


if __name__ == "__main__":
    main()
