"""What every module of figures shares: its options, its report, and where its stores lie."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "ROOT",
    "Settings",
    "best_rate",
    "percentile",
    "report",
    "scratch_folder",
    "settings",
    "store_folder",
]

ROOT = Path(__file__).resolve().parents[2]
_STORES = ROOT / "target" / "benches"
_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Settings:
    """How a module is to measure."""

    fast: bool
    seed: int


def settings() -> Settings:
    """The options of the command line; seeds the generator of the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fast", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    return Settings(fast=options.fast, seed=options.seed)


def report(name: str, value: float) -> None:
    """Prints one figure in the form that the table reads, as `cargo bench` does."""
    print(f"figure {name} {value:.6g}", flush=True)


@contextlib.contextmanager
def store_folder() -> Generator[Path]:
    """A folder on the disk of the repository, empty, and gone afterwards."""
    _STORES.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=_STORES))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        # What the next figure measures must not be this one's late writing.
        os.sync()


@contextlib.contextmanager
def scratch_folder() -> Generator[Path]:
    """A folder in memory where there is one: for stores whose writing is not measured."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def best_rate(count: int, rounds: int, run: Callable[[], None]) -> float:
    """Items a second in the best of several rounds, with the collector off."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        gc.disable()
        started = time.perf_counter()
        try:
            run()
        finally:
            best = min(best, time.perf_counter() - started)
            gc.enable()
    return count / best


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of all values do not exceed."""
    ordered = sorted(values)
    index = min(len(ordered) - 1, int(len(ordered) * percent / 100))
    return ordered[index]
