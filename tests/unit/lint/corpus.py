"""Snippets with the findings that they expect, in comments on the lines."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["SNIPPETS", "expected"]

SNIPPETS = sorted((Path(__file__).parent / "fixtures").glob("*.py"))
_EXPECTED = re.compile(r"# expect: (?P<codes>[\w, ]+)$")


def expected(text: str) -> list[tuple[int, str]]:
    """Line and code of every finding that the snippet expects."""
    return [
        (number, code)
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _EXPECTED.search(line))
        for code in found["codes"].split(", ")
    ]
