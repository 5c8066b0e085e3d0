"""The Python analyser, and the promise that the three analysers measure alike."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from examples.code_audit.python_analyzer import SourceSyntaxError, analyze_source

FIXTURES = Path(__file__).parents[3] / "examples" / "code_audit" / "fixtures"
EXPECTED: dict[str, Any] = json.loads((FIXTURES / "expected.json").read_text())
MEASURED = [name for name in EXPECTED if name.endswith(".py") and "error" not in EXPECTED[name]]


def functions_of(source: str) -> list[dict[str, Any]]:
    return [asdict(each) for each in analyze_source("case.py", source.encode()).functions]


@pytest.mark.parametrize("name", MEASURED)
def test_fixtures_are_measured_as_the_other_languages_measure_theirs(name: str) -> None:
    report = asdict(analyze_source(name, (FIXTURES / name).read_bytes()))
    assert report.pop("error") is None
    assert report == EXPECTED[name]


def test_every_fixture_has_an_expectation() -> None:
    assert sorted(EXPECTED) == sorted(
        path.name for path in FIXTURES.iterdir() if path.name != "expected.json"
    )
    assert len(MEASURED) == 3


def test_the_twins_are_equal_in_the_three_languages() -> None:
    shapes: list[list[tuple[Any, ...]]] = [
        [
            (
                function["name"].lower().lstrip("_"),
                function["nesting"],
                function["complexity"],
                function["documented"],
                function["exported"],
            )
            for function in EXPECTED[f"twins.{suffix}"]["functions"]
        ]
        for suffix in ("go", "ts", "py")
    ]
    assert shapes[0] == shapes[1] == shapes[2]
    assert len(shapes[0]) == 10


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ((FIXTURES / "broken.py").read_bytes(), EXPECTED["broken.py"]["error"]["line"]),
        (b"value = 1\n\x00\n", 0),
        (b"# coding: no-such\n", 0),
        (b"value = 1\nvalue = '\xff'\n", None),
        (b"x = " + b"(" * 100_000, None),
        (b"x = " + b"-" * 100_000 + b"1", None),
    ],
    ids=["unclosed", "zero", "coding", "not UTF-8", "parentheses", "operators"],
)
def test_what_is_not_python_is_refused_with_a_line(source: bytes, line: int | None) -> None:
    with pytest.raises(SourceSyntaxError) as refused:
        analyze_source("broken.py", source)
    assert refused.value.message
    if line:
        assert refused.value.line == line


def test_a_chain_of_a_thousand_conditions_is_one_level() -> None:
    chain = "".join(f"    elif value == {n}:\n        pass\n" for n in range(1_000))
    [function] = functions_of(f"def run(value):\n    if value:\n        pass\n{chain}")
    assert (function["complexity"], function["nesting"]) == (1_002, 1)


def test_lines_end_with_a_newline_or_with_the_file() -> None:
    lines = [analyze_source("case.py", source).lines for source in (b"", b"a", b"a\n", b"a\nb")]
    assert lines == [0, 1, 1, 2]
