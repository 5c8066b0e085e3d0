"""The report: its figures, and that the same tree gives the same bytes."""

import json
import random
from pathlib import Path

from examples.code_audit.records import FileError, FileReport, FunctionReport
from examples.code_audit.report.figures import hot_spots, totals_of
from examples.code_audit.report.files import write_files


def function(name: str, line: int, length: int, complexity: int, **flags: bool) -> FunctionReport:
    documented, exported = flags.get("documented", False), flags.get("exported", True)
    return FunctionReport(name, line, length, 1, complexity, documented, exported)


FILES = [
    FileReport("b/one.go", "go", 40, [function("One", 1, 10, 3, documented=True)]),
    FileReport("a.py", "python", 30, [function("two", 3, 5, 6), function("three", 9, 2, 15)]),
    FileReport("broken.ts", "typescript", error=FileError("syntax", 7, "',' expected.")),
    FileReport("c.js", "javascript", 9, [function("f", 1, 9, 1, exported=False)]),
]


def test_totals() -> None:
    totals = totals_of(FILES)
    assert (totals.files, totals.lines, totals.functions, totals.errors) == (4, 79, 4, 1)
    assert (totals.documented, totals.exported) == (1, 3)
    assert (totals.length_median, totals.length_p90) == (5, 10)
    assert (totals.complexity_max, totals.complex_functions) == (15, 1)


def test_totals_of_nothing() -> None:
    totals = totals_of([])
    assert (totals.files, totals.length_median, totals.complexity_max) == (0, 0, 0)


def test_hot_spots_are_ordered_by_score_then_place() -> None:
    spots = [(spot.function.name, spot.score) for spot in hot_spots(FILES, 3)]
    assert spots == [("two", 30), ("three", 30), ("One", 30)]


def test_the_order_of_arrival_changes_no_byte(tmp_path: Path) -> None:
    shuffled = FILES.copy()
    random.Random(7).shuffle(shuffled)
    assert shuffled != FILES
    for name, files in (("first", FILES), ("second", shuffled)):
        write_files("tree", tmp_path / name, files)
    for file in ("report.json", "report.html"):
        first = (tmp_path / "first" / file).read_bytes()
        assert first == (tmp_path / "second" / file).read_bytes()
        assert str(tmp_path).encode() not in first


def test_the_json_report_has_every_file_and_error(tmp_path: Path) -> None:
    summary = write_files("tree", tmp_path, FILES)
    report = json.loads(Path(summary.report_json).read_text())
    assert [file["path"] for file in report["files"]] == ["a.py", "b/one.go", "broken.ts", "c.js"]
    assert report["files"][2]["error"] == {"kind": "syntax", "line": 7, "message": "',' expected."}
    assert list(report["languages"]) == ["go", "typescript", "javascript", "python"]
    assert (summary.files, summary.functions, summary.errors) == (4, 4, 1)


def test_no_name_ends_the_script_or_reaches_for_the_network(tmp_path: Path) -> None:
    evil = "</script><img src=x>"
    files = [FileReport(f"{evil}.py", "python", 1, [function(evil, 1, 1, 1)])]
    summary = write_files(f"<b>{evil}", tmp_path, files)
    page = Path(summary.report_html).read_text()
    assert evil not in page
    assert page.count("</script>") == 2
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "<!--" not in page


def test_a_killed_attempt_leaves_no_half_report(tmp_path: Path) -> None:
    (tmp_path / "report.json.unfinished").write_text("half")
    summary = write_files("tree", tmp_path, FILES)
    json.loads(Path(summary.report_json).read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]
