"""From a file's text to what is wrong with it."""

from __future__ import annotations

import tokenize
from collections.abc import Iterator
from pathlib import Path

from perdure.lint._finding import Finding
from perdure.lint._reach import reached
from perdure.lint._source import Source
from perdure.lint._table import FAMILIES, UNREADABLE

__all__ = ["lint_file", "lint_text"]


def lint_file(path: Path) -> list[Finding]:
    """What is wrong with a file, from its top to its end.

    Raises:
        OSError: It cannot be read.
    """
    try:
        with tokenize.open(path) as file:
            text = file.read()
    except (SyntaxError, UnicodeDecodeError) as error:
        return [_unreadable(str(path), error)]
    return lint_text(text, str(path))


def lint_text(text: str, path: str) -> list[Finding]:
    """What is wrong with a source text; `path` is what the findings call it."""
    if "workflow" not in text or "defn" not in text:
        # Nothing in it can be a workflow: most files of a project end here.
        return []
    try:
        source = Source(text, path)
    except (SyntaxError, ValueError) as error:
        return [_unreadable(path, error)]
    return sorted(set(_findings(source)))


def _findings(source: Source) -> Iterator[Finding]:
    for code in reached(source):
        for node in code.walk():
            for family in FAMILIES:
                for finding in family(code, node):
                    if not source.is_silenced(finding.code, finding.line, finding.end_line):
                        yield finding


def _unreadable(path: str, error: Exception) -> Finding:
    line = getattr(error, "lineno", None) or 1
    column = getattr(error, "offset", None) or 1
    why = error.msg if isinstance(error, SyntaxError) else str(error)
    return Finding(
        path, line, column, line, column, UNREADABLE.code, f"the file is no valid Python: {why}",
        "correct it", "", "",
    )  # fmt: skip
