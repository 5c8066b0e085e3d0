"""The limit of everything durable: overwriting 4 KiB of a preallocated file, and syncing it."""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["sync_times_s"]

_BLOCK = b"\xa5" * 4096
_BLOCKS = 1024


def sync_times_s(folder: Path, count: int) -> list[float]:
    """How long each of `count` writes with its sync took."""
    path = folder / "syncs"
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(file, _BLOCK * _BLOCKS, 0)
        os.fsync(file)
        times: list[float] = []
        for number in range(count):
            started = time.perf_counter()
            os.pwrite(file, _BLOCK, (number % _BLOCKS) * len(_BLOCK))
            os.fdatasync(file)
            times.append(time.perf_counter() - started)
        return times
    finally:
        os.close(file)
        path.unlink()
