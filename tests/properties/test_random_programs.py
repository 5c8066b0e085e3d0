"""Random workflow programs come to the same live, with nothing cached, and replayed (E26).

`PERDURE_PROGRAMS=10000 PERDURE_SEED=7` chooses how many, and which; `PERDURE_PROGRAM=42` is one.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.properties.programs import CHANCE, Script, random_script
from tests.properties.running import run_all

_ROOT = Path(__file__).resolve().parents[2]
_BATCH = 100
"""So many programs share an engine."""
PROGRAMS = int(os.environ.get("PERDURE_PROGRAMS", "100"))
SEED = int(os.environ.get("PERDURE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
ONE = os.environ.get("PERDURE_PROGRAM")


def _batches() -> Iterator[range]:
    if ONE is not None:
        yield range(int(ONE), int(ONE) + 1)
        return
    for first in range(0, PROGRAMS, _BATCH):
        yield range(first, min(first + _BATCH, PROGRAMS))


@pytest.mark.parametrize("numbers", list(_batches()), ids=lambda each: f"from_{each.start}")
def test_e26_random_programs_come_to_the_same(numbers: range, tmp_path: Path) -> None:
    print(f"PERDURE_SEED={SEED}")
    scripts = [random_script(SEED, number) for number in numbers]
    live = run_all(scripts, cached=10_000, folder=tmp_path / "live")
    uncached = run_all(scripts, cached=0, folder=tmp_path / "uncached")
    for script, one, other in zip(scripts, live, uncached, strict=True):
        assert _without_chance(one) == _without_chance(other), _place(script)
    for way in ("live", "uncached"):
        _replay_in_a_fresh_process(tmp_path / way)


def _replay_in_a_fresh_process(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.properties.prefixes", str(folder)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(random.Random(SEED).randrange(1, 2**32))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"PERDURE_SEED={SEED}\n{done.stderr}"


def _without_chance(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    parts = cast("list[Any]", value)
    return CHANCE if parts[:1] == [CHANCE] else [_without_chance(part) for part in parts]


def _place(script: Script) -> str:
    return f"PERDURE_SEED={SEED} PERDURE_PROGRAM={script.number}: {script}"
