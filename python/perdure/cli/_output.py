"""What a command prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

__all__ = [
    "Style",
    "duration_text",
    "notice",
    "print_json",
    "print_table",
    "size_text",
    "time_text",
]

COLUMN_MAX = 60
"""A cell of a table is cut to this width; JSON has it all."""
_CODES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "cyan": 36}
STATUS_COLORS = {
    "running": "cyan",
    "completed": "green",
    "parked": "yellow",
    "paused": "yellow",
    "failed": "red",
    "timed_out": "red",
    "terminated": "red",
    "cancelled": "dim",
    "continued_as_new": "dim",
}


class Style:
    """Colors where a person looks on; none in a pipe, or where `NO_COLOR` is set."""

    def __init__(self, out: TextIO) -> None:
        self.enabled = out.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text: str, color: str) -> str:
        """The text in a color."""
        return f"\x1b[{_CODES[color]}m{text}\x1b[0m" if self.enabled else text


def size_text(count: int) -> str:
    """So many bytes, in the unit that suits."""
    if count < 1_024:
        return f"{count} bytes"
    kib = count / 1_024
    return f"{kib:.1f} KiB" if kib < 1_024 else f"{kib / 1_024:.1f} MiB"


def notice(text: str) -> None:
    """A line for people, beside the output."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON value, indented."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    colors: Mapping[str, str] | None = None,
    cut: bool = True,
) -> None:
    """Columns as wide as they must be; a cell whose text has a color is painted.

    Args:
        cut: Whether long cells are cut; True by default.
    """
    style = Style(sys.stdout)
    cells = [[_cut(cell) if cut else cell for cell in row] for row in rows]
    widths = [
        max(_width(title), *(_width(row[column]) for row in cells), 0)
        for column, title in enumerate(titles)
    ]
    heads = [_pad(title.upper(), width) for title, width in zip(titles, widths, strict=True)]
    print(style.paint("  ".join(heads).rstrip(), "bold"))
    for row in cells:
        padded = [_pad(cell, width) for cell, width in zip(row, widths, strict=True)]
        padded[-1] = padded[-1].rstrip()
        painted = [
            style.paint(text, colors[cell]) if colors and cell in colors else text
            for cell, text in zip(row, padded, strict=True)
        ]
        print("  ".join(painted).rstrip())


def time_text(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def duration_text(length: timedelta) -> str:
    """A duration in its two largest units."""
    seconds = length.total_seconds()
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour}h"
    return f"{hour}h {minute}m" if hour else f"{minute}m {second}s"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= COLUMN_MAX else f"{line[: COLUMN_MAX - 1]}…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
