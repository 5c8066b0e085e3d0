"""Waiting for what other processes do, which no event of this one can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["until"]

_LOOK_SECONDS = 0.005


async def until(holds: Callable[[], bool]) -> None:
    """Looks until it holds; the test's own limit ends a wait in vain."""
    while True:
        if holds():
            return
        await asyncio.sleep(_LOOK_SECONDS)
