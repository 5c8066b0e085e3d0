"""The figures of a report, from the measured files alone: no clock, no chance, no path outside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from examples.code_audit.languages import LANGUAGES

if TYPE_CHECKING:
    from examples.code_audit.records import FileReport, FunctionReport


@dataclass(frozen=True, slots=True)
class Totals:
    """What can be said of a set of files."""

    files: int
    lines: int
    functions: int
    errors: int
    exported: int
    """Functions that others can call: those whose documentation counts."""
    documented: int
    """How many of the exported functions are documented."""
    length_median: int
    length_p90: int
    complexity_median: int
    complexity_p90: int
    complexity_max: int
    nesting_max: int
    complex_functions: int
    """Functions with a cyclomatic complexity above 10, McCabe's own limit."""


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A function where the next defect probably is: long and complex at once."""

    path: str
    language: str
    function: FunctionReport

    @property
    def score(self) -> int:
        """Complexity times length: either alone is often harmless."""
        return self.function.complexity * self.function.length


COMPLEX_ABOVE = 10


def totals_of(files: Sequence[FileReport]) -> Totals:
    """The figures of a set of files."""
    functions = [function for file in files for function in file.functions]
    exported = [function for function in functions if function.exported]
    lengths = sorted(function.length for function in functions)
    complexities = sorted(function.complexity for function in functions)
    return Totals(
        files=len(files),
        lines=sum(file.lines for file in files),
        functions=len(functions),
        errors=sum(file.error is not None for file in files),
        exported=len(exported),
        documented=sum(function.documented for function in exported),
        length_median=_percentile(lengths, 50),
        length_p90=_percentile(lengths, 90),
        complexity_median=_percentile(complexities, 50),
        complexity_p90=_percentile(complexities, 90),
        complexity_max=max(complexities, default=0),
        nesting_max=max((function.nesting for function in functions), default=0),
        complex_functions=sum(value > COMPLEX_ABOVE for value in complexities),
    )


def totals_by_language(files: Sequence[FileReport]) -> dict[str, Totals]:
    """The figures of each language that occurs, in the order of `LANGUAGES`."""
    of_language = {name: [file for file in files if file.language == name] for name in LANGUAGES}
    return {name: totals_of(group) for name, group in of_language.items() if group}


def hot_spots(files: Iterable[FileReport], limit: int) -> list[HotSpot]:
    """The functions with the highest scores; ties in the order of path and line."""
    spots = [
        HotSpot(file.path, file.language, function) for file in files for function in file.functions
    ]
    spots.sort(key=lambda spot: (-spot.score, spot.path, spot.function.line, spot.function.name))
    return spots[:limit]


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The nearest-rank percentile: always a value that occurs; 0 for no values."""
    if not ordered:
        return 0
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(rank, 1) - 1]
