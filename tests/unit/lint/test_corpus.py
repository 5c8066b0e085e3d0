"""Every snippet is found out exactly where it says, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from perdure.lint import RULES, lint_file
from tests.tidy.tree import ROOT
from tests.unit.lint.corpus import SNIPPETS, expected


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda path: path.stem)
def test_a_snippet_is_found_out_where_it_says(snippet: Path) -> None:
    found = [(each.line, each.code) for each in lint_file(snippet)]
    assert sorted(found) == sorted(expected(snippet.read_text()))


def test_a_snippet_is_bad_if_its_name_says_so() -> None:
    for snippet in SNIPPETS:
        is_bad = bool(expected(snippet.read_text()))
        assert snippet.stem.endswith("_bad" if is_bad else "_good"), snippet.name


def test_every_rule_has_good_and_bad_snippets() -> None:
    for code in RULES:
        kinds = {path.stem.rsplit("_", 1)[1] for path in SNIPPETS if code[3:] == path.stem[:4]}
        assert kinds == {"bad", "good"}, code
        bad = [path for path in SNIPPETS if path.stem.startswith(code[3:])]
        assert code in {each for path in bad for _, each in expected(path.read_text())}


def test_the_corpus_is_large_enough() -> None:
    assert len(SNIPPETS) >= 60


def test_every_rule_has_its_place_in_the_guide() -> None:
    """Under its code, which is the anchor that SARIF links to, and with its name."""
    guide = (ROOT / "docs/guide/lint.md").read_text()
    found = dict(re.findall(r"^### (PRD\d+)\n\n\*([\w-]+)\.\*", guide, re.MULTILINE))
    assert found == {code: rule.name for code, rule in RULES.items()}
