"""Replay: reading, checking and decoding a recorded history, and stepping the code through it."""

from __future__ import annotations

import asyncio
from typing import Any

from benches.end_to_end import workflows
from benches.end_to_end.figures import best_rate, report, scratch_folder, settings
from benches.end_to_end.floor import cpython_floor_steps_per_s
from benches.end_to_end.serving import recorded_history
from perdure.instance._replay import replay
from perdure.workflow._definition import definition_of

_ACTIVITIES = [workflows.increment, workflows.priced, workflows.appended]


def main() -> None:
    """Measures the floor beside each length, since the machine's speed drifts."""
    chosen = settings()
    rounds = 5 if chosen.fast else 30
    floor = 0.0
    for name, workflow, steps in (
        ("replay_1000_steps_per_s", workflows.sequential, 1_000),
        ("replay_10000_steps_per_s", workflows.sequential, 10_000),
        ("replay_fanout_1000_steps_per_s", workflows.fan_out, 1_000),
        ("replay_1000_dataclass_steps_per_s", workflows.orders, 1_000),
    ):
        floor = max(floor, cpython_floor_steps_per_s(100_000, 2))
        report(name, _steps_per_s(workflow, steps, rounds))
        floor = max(floor, cpython_floor_steps_per_s(100_000, 2))
    report("cpython_floor_steps_per_s", floor)
    steps = 200
    rate = _steps_per_s(workflows.grows, steps, 2 if chosen.fast else 5)
    report("replay_growing_1mib_context_200_steps_s", steps / rate)


def _steps_per_s(workflow: Any, steps: int, rounds: int) -> float:
    with scratch_folder() as folder:
        history = asyncio.run(recorded_history(folder, workflow, steps, activities=_ACTIVITIES))
    definition = definition_of(workflow)
    definitions = {definition.name: definition}

    def once() -> None:
        replay(history, definitions).evict()

    return best_rate(steps, rounds, once)


if __name__ == "__main__":
    main()
