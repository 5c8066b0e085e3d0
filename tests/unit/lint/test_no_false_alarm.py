"""The project's own workflows are clean: examples, documents, tests, and programs in tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from perdure.lint import lint_file, lint_text
from perdure.lint._reach import reached
from perdure.lint._source import Source
from tests.docs.snippets import blocks
from tests.tidy.tree import ROOT, project_tree

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A page that shows what not to do says so behind the line, as the corpus does.
SHOWN = "# PRD2"
# Workflows that do on purpose what they must not, to see what becomes of it.
ON_PURPOSE = {
    ("docs/guide/determinism.md", "PRD2401"): "shows how the guard refuses a file",
    ("tests/e2e/test_bad_input.py", "PRD2504"): "a loop that never ends is interrupted",
    ("tests/e2e/test_bad_input.py", "PRD2603"): "it catches the interruption",
    ("tests/semantics/test_deadlock.py", "PRD2501"): "a sleep that blocks is refused",
    ("tests/semantics/test_deadlock.py", "PRD2504"): "a loop that never ends is interrupted",
    ("tests/e2e/test_strict.py", "PRD2504"): "a loop that never ends is interrupted",
    ("tests/replay/shop.py", "PRD2403"): "takes its process down in the middle of a replay",
    ("tests/semantics/test_asyncio.py", "PRD2602"): "the loop keeps a task that nobody else keeps",
    (
        "tests/semantics/test_local_activities.py",
        "PRD2601",
    ): "a wrong option is refused",
    ("tests/semantics/test_queries.py", "PRD2401"): "a query that opens a file is refused",
}


@pytest.mark.parametrize("folder", ["benches", "bridges", "examples", "python", "tests"])
def test_no_finding_in_our_own_sources(folder: str) -> None:
    paths = list(project_tree().paths(".py", under=f"{folder}/"))
    findings = [(path, each) for path in paths for each in lint_file(ROOT / path)]
    assert [each for path, each in findings if (path, each.code) not in ON_PURPOSE] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_show_what_is_found_and_nothing_else(document: Path) -> None:
    for block in blocks(document.read_text()):
        if block.language != "python":
            continue
        lines = block.text.splitlines()
        shown = {number for number, line in enumerate(lines, start=1) if SHOWN in line}
        name = document.relative_to(ROOT).as_posix()
        found = {
            f"{each.line} {each.code}"
            for each in lint_text(block.text, name)
            if (name, each.code) not in ON_PURPOSE
        }
        assert {int(each.split()[0]) for each in found} == shown, found
        for each in found:
            number, code = each.split()
            assert code in lines[int(number) - 1]


def test_no_finding_in_programs_that_tests_write() -> None:
    tree = project_tree()
    programs = [
        node.value
        for path, module in tree.python()
        if path.startswith("tests/e2e/")
        for node in ast.walk(module)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and "@workflow.defn\n" in node.value
    ]
    assert programs
    findings = [each for text in programs for each in lint_text(text, "program.py")]
    # What a strict replay is to find is in a program of its test.
    assert [each for each in findings if each.workflow != "stamped"] == []
    assert {each.code for each in findings} == {"PRD2101", "PRD2201"}


def test_these_sources_hold_workflows_to_look_at() -> None:
    workflows = {
        code.workflow
        for path in project_tree().paths(".py", under="tests/")
        for code in reached(Source((ROOT / path).read_text(), path))
    }
    assert len(workflows) > 50
