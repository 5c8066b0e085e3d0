"""Whatever Python there is can be read: the standard library, as if it were workflow code."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path

import pytest

from perdure.lint import RULES, lint_text
from perdure.lint._names import Names
from perdure.lint._reach import Code
from perdure.lint._source import Function, Source
from perdure.lint._table import FAMILIES

LIBRARY = Path(asyncio.__file__).parents[1]
FILES = [
    *sorted((LIBRARY / "asyncio").glob("*.py")),
    *(LIBRARY / f"{name}.py" for name in ("dataclasses", "pathlib", "subprocess", "typing")),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_function_can_be_judged(path: Path) -> None:
    source = Source(path.read_text(), str(path))
    names = Names(source)
    for function in ast.walk(source.tree):
        if not isinstance(function, Function | ast.ClassDef):
            continue
        code = Code(source, names, function, "library")
        for node in code.walk():
            for family in FAMILIES:
                for finding in family(code, node):
                    assert finding.code in RULES
                    assert (finding.line, finding.column) <= (
                        finding.end_line,
                        finding.end_column,
                    )


def test_values_made_of_themselves_are_no_trap() -> None:
    text = (
        "from perdure import workflow\n\n\nclass Node(Node):\n    next = next\n\n\n"
        "@workflow.defn\nasync def walk(clock):\n"
        "    while clock:\n        clock = clock.next\n        clock = clock or clock.first()\n"
        "    return clock.now()\n"
    )
    assert lint_text(text, "itself.py") == []


def test_empty_and_odd_texts_are_read() -> None:
    for text in (
        "",
        "\n",
        "# workflow defn",
        "workflow.defn\n",
        "\N{BYTE ORDER MARK}workflow.defn",
    ):
        assert {each.code for each in lint_text(text, "odd.py")} <= {"PRD2000"}
