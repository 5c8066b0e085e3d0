"""`perdure lint`: what it prints, what it leaves out, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from perdure.cli import main
from perdure.cli._exit import ExitCode
from perdure.lint import RULES, lint_text

FIXTURES = Path(__file__).parent / "fixtures"
REPORT = FIXTURES / "report.txt"
BAD = """\
import os
from datetime import datetime

from perdure import workflow


@workflow.defn
async def checkout() -> str:
    é = "é"; now = datetime.now()
    return f"{é} {now} {os.environ['LEVEL']}"
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bad file, and files that are nobody's business."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(BAD)
    (tmp_path / "good.py").write_text("print('no workflow')\n")
    for folder in (".hidden", "node_modules/a", "environment/lib"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "bad.py").write_text(BAD)
    (tmp_path / "environment/pyvenv.cfg").write_text("")
    return tmp_path


def test_a_line_says_where_what_and_what_instead(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint"]) == ExitCode.FAILURE
    printed = capsys.readouterr()
    assert printed.out == (
        "shop.py:9:20: PRD2101 `datetime.now()` reads the machine's clock (in checkout)\n"
        "    write `workflow.now()`: the run's time in UTC\n"
        "shop.py:10:25: PRD2405 `os.environ` differs from process to process (in checkout)\n"
        "    pass it to the workflow as an argument, or ask in an activity\n"
    )
    assert printed.err == "2 findings in 1 of 2 files\n"


def test_nothing_found_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "good.py", "good.py"]) == ExitCode.OK
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "no findings in 1 file\n")


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        ("--select PRD21", ["PRD2101"]),
        ("--select PRD2405 --select prd2103", ["PRD2405"]),
        ("--select PRD2405,PRD2101", ["PRD2101", "PRD2405"]),
        ("--ignore PRD2405", ["PRD2101"]),
        ("--select PRD2 --ignore PRD21,PRD24", []),
    ],
)
def test_rules_are_selected_and_ignored(
    arguments: str, codes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["lint", "-o", "json", *arguments.split()])
    assert [each["code"] for each in json.loads(capsys.readouterr().out)] == codes


@pytest.mark.parametrize(
    ("comment", "is_silent"),
    [
        ("# noqa", True),
        ("# noqa: PRD2101", True),
        ("# NOQA:prd2101 - observed only", True),
        ("# noqa: DTZ005, PRD2101", True),
        ("# noqa: DTZ005", False),
        ("# noqa: because", False),
        ("# what noqa means", False),
    ],
)
def test_a_comment_silences_its_line(comment: str, is_silent: bool) -> None:
    text = BAD.replace("datetime.now()", f"datetime.now()  {comment}")
    assert ("PRD2101" in {each.code for each in lint_text(text, "a.py")}) is not is_silent


def test_json_has_all_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "-o", "json", "--select", "PRD2101"]) == ExitCode.FAILURE
    assert json.loads(capsys.readouterr().out) == [
        {
            "path": "shop.py",
            "line": 9,
            "column": 20,
            "end_line": 9,
            "end_column": 34,
            "code": "PRD2101",
            "rule": "wall-clock",
            "message": "`datetime.now()` reads the machine's clock",
            "fix": "write `workflow.now()`: the run's time in UTC",
            "function": "checkout",
            "workflow": "checkout",
        }
    ]


def test_the_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--rules"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["CODE", *RULES]
    assert main(["lint", "--rules", "--select", "PRD2501", "-o", "json"]) == ExitCode.OK
    (rule,) = json.loads(capsys.readouterr().out)
    assert rule["name"] == "blocking-sleep"


def test_a_file_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--sarif", "no/such/folder"]) == ExitCode.USAGE
    assert "no/such/folder cannot be written" in capsys.readouterr().err


def test_text_that_is_no_unicode_is_a_finding(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "latin.py").write_bytes(b"# caf\xe9\n")
    assert main(["lint", "latin.py"]) == ExitCode.FAILURE
    assert "latin.py:1:1: PRD2000 the file is no valid Python" in capsys.readouterr().out


def test_the_report_on_the_corpus_is_as_it_was(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To renew it: `cd tests/unit/lint/fixtures; perdure lint > report.txt`, and read the diff."""
    monkeypatch.chdir(FIXTURES)
    main(["lint"])
    assert capsys.readouterr().out == REPORT.read_text()


def test_sarif_is_what_the_standard_asks_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", "-o", "sarif", "--sarif", "out.sarif", ".", str(FIXTURES)]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log == json.loads((project / "out.sarif").read_text())
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-2.1.0.json")
    (run,) = log["runs"]
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    driver = run["tool"]["driver"]
    assert driver["name"] == "perdure lint"
    assert [rule["id"] for rule in driver["rules"]] == list(RULES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["helpUri"].startswith("https://")
        assert rule["defaultConfiguration"]["level"] in {"none", "note", "warning", "error"}
    assert {result["ruleId"] for result in run["results"]} == set(RULES)
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        check_location(result)


def check_location(result: dict[str, Any]) -> None:
    """A result has one place, which a viewer can show."""
    (location,) = result["locations"]
    physical = location["physicalLocation"]
    uri = physical["artifactLocation"]["uri"]
    assert uri.startswith("file:///") or (uri == "shop.py" and "uriBaseId" in str(physical))
    region = physical["region"]
    assert all(isinstance(region[each], int) and region[each] >= 1 for each in region)
    start = (region["startLine"], region["startColumn"])
    assert start <= (region["endLine"], region["endColumn"])
    assert set(region) == {"startLine", "startColumn", "endLine", "endColumn"}
