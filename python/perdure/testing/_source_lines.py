"""The source lines of call sites, as far as the files still have them."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perdure.instance._sites import source_hash

__all__ = ["CallSite", "recorded_site", "todays_site"]


@dataclass(frozen=True, slots=True)
class CallSite:
    """A place in workflow code."""

    file: str
    line: int
    function: str
    source: str | None = None
    """The line itself; None where the file no longer has it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def todays_site(file: str, line: int, function: str) -> CallSite | None:
    """A place in the code that was just replayed; None for no place."""
    if not file:
        return None
    return CallSite(file, line, function, linecache.getline(file, line).strip() or None)


def recorded_site(
    file: str, line: int, function: str, digest: int, *, todays_files: Sequence[str]
) -> CallSite | None:
    """A place that a history names, with its line where the function has not changed since.

    Args:
        todays_files: Where the code is today: a history may come from another machine.
    """
    if not file:
        return None
    same_name = [each for each in todays_files if Path(each).name == Path(file).name]
    for candidate in (file, *same_name):
        if _has_line(candidate, line, function, digest):
            return CallSite(file, line, function, linecache.getline(candidate, line).strip())
    return CallSite(file, line, function)


def _has_line(file: str, line: int, function: str, digest: int) -> bool:
    """Whether the function is unchanged and the line is one of its own.

    What moved up or down within its own length cannot be told: a history has no first line.
    """
    linecache.checkcache(file)
    blocks = _blocks("".join(linecache.getlines(file)), function)
    return any(
        first <= line < first + length and found == digest for first, length, found in blocks
    )


@functools.lru_cache(maxsize=256)
def _blocks(source: str, function: str) -> list[tuple[int, int, int]]:
    """First line, length and hash of the functions of that name; kept, as many runs ask."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    lines = source.splitlines(keepends=True)
    found: list[tuple[int, int, int]] = []
    for first in _first_lines(module, "", function):
        block = inspect.getblock(lines[first - 1 :])
        found.append((first, len(block), source_hash("".join(block))))
    return found


def _first_lines(node: ast.AST, prefix: str, wanted: str) -> list[int]:
    """Where functions of that qualified name begin, decorators included."""
    found: list[int] = []
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ClassDef(name=name):
                found += _first_lines(child, f"{prefix}{name}.", wanted)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if f"{prefix}{name}" == wanted:
                    decorators = [each.lineno for each in child.decorator_list]
                    found.append(min([child.lineno, *decorators]))
                found += _first_lines(child, f"{prefix}{name}.<locals>.", wanted)
            case _:
                found += _first_lines(child, prefix, wanted)
    return found
