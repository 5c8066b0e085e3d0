"""A bar for what is long, drawn on a terminal alone."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

__all__ = ["Progress"]

_WIDTH = 30
_DRAW_SECONDS = 0.1


class Progress:
    """Counts steps; the bar appears once it has taken a moment, and leaves nothing behind."""

    def __init__(self, title: str, total: int) -> None:
        self._title = title
        self._total = total
        self._done = 0
        self._drawn = False
        self._next_draw = time.monotonic() + 3 * _DRAW_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def step(self, count: int = 1) -> None:
        """So many more are done."""
        self._done += count
        now = time.monotonic()
        if now >= self._next_draw and sys.stderr.isatty():
            self._next_draw = now + _DRAW_SECONDS
            self._drawn = True
            full = "█" * (self._done * _WIDTH // max(self._total, 1))
            done = f"{self._done:,} of {self._total:,}"
            sys.stderr.write(f"\r{self._title} {full:<{_WIDTH}} {done}")
            sys.stderr.flush()
