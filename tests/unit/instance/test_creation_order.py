"""asyncio's own sets walk in the order of creation, whatever the addresses and hash seeds."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from asyncio import as_completed as imported_before_install
from pathlib import Path
from typing import Any

import pytest

from perdure.errors import NondeterminismError
from perdure.instance._ordered import OrderedSet
from tests.unit.instance.loops import Log, Run, on_workflow_loop

SCENARIO = Path(__file__).with_name("order_scenario.py")


def _scenario(hash_seed: int) -> Any:
    environment = os.environ | {
        "PYTHONHASHSEED": str(hash_seed),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, str(SCENARIO), str(hash_seed)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout)


def test_orders_are_the_same_in_processes_with_other_hash_seeds_and_addresses() -> None:
    seen = [_scenario(seed) for seed in range(6)]
    assert seen[1:] == seen[:1] * 5
    names = [f"n{i}" for i in range(30)]
    assert seen[0]["group cancelled"] == names
    assert seen[0]["wait done"] == names
    assert seen[0]["wait pending"] == names
    assert seen[0]["completed at once"] == names
    assert seen[0]["all tasks"] == ["Task-1", *names]
    assert seen[0]["rounds"] == [[name] for name in reversed(names)]
    assert seen[0]["coroutines begun"] == names


def test_wait_on_a_builtin_set_of_tasks_goes_by_creation(request: pytest.FixtureRequest) -> None:
    ballast: list[Any] = []

    async def main(log: Log) -> None:
        for _ in range(20):
            tasks: list[asyncio.Task[int]] = []
            for number in range(20):
                ballast.extend(bytearray(random.Random(number).randrange(400)) for _ in range(3))
                tasks.append(asyncio.create_task(asyncio.sleep(0, number)))
            shuffled = random.Random(7).sample(tasks, len(tasks))
            done, pending = await asyncio.wait(set(shuffled))
            assert [task.result() for task in done] == list(range(20))
            assert pending == set()

    assert on_workflow_loop(main).result is None


def test_a_set_of_plain_futures_is_refused_and_a_list_is_not() -> None:
    async def main(log: Log) -> list[Any]:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        for number, future in enumerate(futures):
            future.set_result(number)
        done, _pending = await asyncio.wait(futures)
        results = [future.result() for future in done]
        task = asyncio.create_task(asyncio.sleep(0, "task"))
        done, _pending = await asyncio.wait({futures[0], task})
        results += [future.result() for future in done]
        with pytest.raises(NondeterminismError, match="pass a list"):
            await asyncio.wait({*futures})
        return results

    assert on_workflow_loop(main).result == [0, 1, 2, "task", 0]


def test_names_imported_before_are_mended_too() -> None:
    async def main(log: Log) -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0, str(number))) for number in range(9)]
        await asyncio.wait(tasks)
        return [await each for each in imported_before_install(list(reversed(tasks)))]

    assert on_workflow_loop(main).result == [str(number) for number in reversed(range(9))]


def test_as_completed_gives_the_futures_themselves_to_async_for() -> None:
    async def main(log: Log) -> bool:
        tasks = [asyncio.create_task(asyncio.sleep(delay, delay)) for delay in (3, 1, 2)]
        completions: Any = asyncio.as_completed(tasks)
        seen = [future async for future in completions]
        return seen == [tasks[1], tasks[2], tasks[0]]

    assert on_workflow_loop(main).result is True


def test_outside_workflows_asyncio_is_untouched() -> None:
    async def main() -> tuple[Any, ...]:
        tasks = [asyncio.create_task(asyncio.sleep(0, number)) for number in range(3)]
        done, pending = await asyncio.wait(tasks)
        results = sorted([await each for each in asyncio.as_completed(tasks)])
        everything = asyncio.all_tasks()
        return type(done), type(pending), results, type(everything), len(everything)

    assert asyncio.run(main()) == (set, set, [0, 1, 2], set, 1)


def test_all_tasks_of_another_loop_is_the_original() -> None:
    async def main(log: Log) -> int:
        return len(asyncio.all_tasks(other))

    other = Run().loop
    assert on_workflow_loop(main).result == 0


@pytest.mark.parametrize("seed", range(20))
def test_ordered_set_does_what_a_set_does_in_insertion_order(seed: int) -> None:
    chance = random.Random(seed)
    ordered: OrderedSet[int] = OrderedSet()
    plain: set[int] = set()
    order: list[int] = []
    for _ in range(300):
        value = chance.randrange(20)
        other = chance.sample(range(20), chance.randrange(8))
        match chance.randrange(11):
            case 0 | 1 | 2:
                ordered.add(value)
                plain.add(value)
            case 3:
                ordered.discard(value)
                plain.discard(value)
            case 4:
                ordered |= OrderedSet(other)
                plain |= set(other)
                order += [each for each in other if each not in order]
            case 5:
                ordered -= OrderedSet(other)
                plain -= set(other)
            case 6:
                kept = ordered & OrderedSet([*order, *other])
                assert kept == plain & {*order, *other}
            case 7:
                ordered ^= OrderedSet(other)
                plain ^= set(other)
            case 8 if plain:
                popped = ordered.pop()
                assert popped == order[0]
                plain.remove(popped)
            case 9:
                assert ordered | OrderedSet(other) == plain | set(other)
                assert set(other) - ordered == set(other) - plain
            case _:
                assert ordered.copy() == plain
                assert (value in ordered) == (value in plain)
        order = [each for each in order if each in plain]
        order += [each for each in ordered if each not in order]
        assert ordered == plain
        assert list(ordered) == order
        assert len(ordered) == len(plain)
