"""Clocks, randomness and ids answer from the run inside workflows, and as ever outside."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any
from uuid import uuid4 as imported_before_install

import pytest

from perdure.errors import NondeterminismError
from perdure.instance._guard import unguarded
from tests.unit.instance.loops import EPOCH_US, Run

EPOCH = EPOCH_US / 1e6


def in_workflow(main: Callable[[], Any], seed: str = "seed") -> Any:
    async def coroutine() -> Any:
        result = main()
        return await result if inspect.isawaitable(result) else result

    run = Run(seed)
    task = run.start(coroutine())
    run.finish(task)
    return task.result()


def test_every_clock_reads_the_run() -> None:
    async def main() -> list[Any]:
        def read() -> list[Any]:
            wall = [time.time(), time.time_ns()]
            steady = [
                getattr(time, name)()
                for name in ("monotonic", "perf_counter", "process_time", "thread_time")
            ]
            nanos = [
                getattr(time, name)()
                for name in (
                    "monotonic_ns", "perf_counter_ns", "process_time_ns", "thread_time_ns"
                )
            ]  # fmt: skip
            return [wall, steady, nanos]

        before = read()
        await asyncio.sleep(2.5)
        return [before, read()]

    assert in_workflow(main) == [
        [[EPOCH, EPOCH_US * 1000], [0.0] * 4, [0] * 4],
        [[EPOCH + 2.5, (EPOCH_US + 2_500_000) * 1000], [2.5] * 4, [2_500_000_000] * 4],
    ]


def test_clocks_outside_are_the_originals() -> None:
    assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 5
    assert abs(time.monotonic() - time.clock_gettime(time.CLOCK_MONOTONIC)) < 5
    assert time.monotonic_ns() <= time.monotonic_ns()
    assert pickle.loads(pickle.dumps(time.time)) is time.time
    assert type(time.time) is type(len)

    holder: Any = type("Holder", (), {"clock": time.time})
    assert holder().clock() > EPOCH


def draws() -> list[Any]:
    items = list(range(10))
    random.shuffle(items)
    return [
        random.random(),
        random.randint(1, 1_000_000),
        random.choice(range(1_000_000)),
        random.uniform(0, 1),
        random.gauss(0, 1),
        random.getrandbits(64),
        random.randbytes(8),
        random.sample(range(1_000), 5),
        random.Random().random(),
        items,
        str(uuid.uuid4()),
        str(imported_before_install()),
        str(uuid.uuid1()),
    ]


def test_randomness_and_ids_repeat_with_the_seed_and_differ_without() -> None:
    first = in_workflow(draws)
    assert in_workflow(draws) == first
    other = in_workflow(draws, seed="other")
    assert all(mine != theirs for mine, theirs in zip(first, other, strict=True))


def test_the_streams_are_the_same_in_every_release() -> None:
    # Recorded runs depend on these values: they may never change.
    assert in_workflow(draws)[:2] == [RELEASED_RANDOM, RELEASED_RANDINT]


RELEASED_RANDOM = 0.8973216132393534
RELEASED_RANDINT = 641453


def test_uuids_are_well_formed_and_uuid1_carries_the_runs_time() -> None:
    def main() -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
        return uuid.uuid4(), uuid.uuid4(), uuid.uuid1()

    first, second, timed = in_workflow(main)
    assert (first.version, timed.version) == (4, 1)
    assert first.variant == timed.variant == uuid.RFC_4122
    assert first != second
    assert (timed.time - 0x01B21DD213814000) * 100 == EPOCH_US * 1000


def one() -> float:
    return random.random()


def two() -> float:
    return random.random()


def test_an_added_call_shifts_no_other_function_and_no_other_verb() -> None:
    def before() -> list[float]:
        return [one(), two(), one()]

    def after() -> list[float]:
        random.random()
        random.randint(1, 6)
        found = [one(), two(), one()]
        two()
        return found

    assert in_workflow(before) == in_workflow(after)
    assert len(set(in_workflow(before))) == 3


def test_comprehensions_and_library_frames_draw_for_the_function_around() -> None:
    def main() -> list[float]:
        return [random.random() for _ in range(3)]

    def plain() -> list[float]:
        found: list[float] = []
        for _ in range(3):
            found.append(random.random())
        return found

    plain.__code__ = plain.__code__.replace(co_qualname=main.__code__.co_qualname)
    assert in_workflow(main) == in_workflow(plain)


def test_seeding_inside_touches_no_other_run_and_not_the_process() -> None:
    def main() -> list[float]:
        random.seed(5)
        first = random.random()
        random.seed(5)
        return [first, random.random()]

    random.seed(99)
    expected = random.random()
    random.seed(99)
    seen = in_workflow(main)
    assert random.random() == expected
    assert seen == in_workflow(main)


def test_randomness_outside_is_the_originals() -> None:
    random.seed(1)
    values = [random.random(), random.randint(1, 100), random.choice("abcdef")]
    generator = random.Random(1)
    assert values == [generator.random(), generator.randint(1, 100), generator.choice("abcdef")]
    assert random.getstate() == generator.getstate()
    assert uuid.uuid4() != uuid.uuid4()
    assert random.Random().random() != random.Random().random()
    assert str(inspect.signature(uuid.uuid1)) == "(node=None, clock_seq=None)"
    assert len(os.urandom(3)) == 3
    assert len(secrets.token_bytes(3)) == 3


REFUSED: dict[str, Callable[[], Any]] = {
    "time.sleep": lambda: time.sleep(0),
    "os.urandom": lambda: os.urandom(1),
    "secrets.token_hex": lambda: secrets.token_hex(1),
    "secrets.choice": lambda: secrets.choice("ab"),
    "random.SystemRandom": lambda: random.SystemRandom().random(),
    "random.getstate": lambda: random.getstate(),
    "threading.Thread": lambda: threading.Thread(target=print).start(),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_refused_inside_and_allowed_unguarded(name: str) -> None:
    def guarded_main() -> None:
        REFUSED[name]()

    def unguarded_main() -> str:
        with unguarded():
            REFUSED[name]()
        return "done"

    with pytest.raises(NondeterminismError) as raised:
        in_workflow(guarded_main)
    assert raised.value.file == __file__
    assert raised.value.line == REFUSED[name].__code__.co_firstlineno
    assert in_workflow(unguarded_main) == "done"
    REFUSED[name]()
