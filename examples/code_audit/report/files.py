"""Writes the two files of the report: complete or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.code_audit.records import AuditSummary, FileReport
from examples.code_audit.report.figures import hot_spots, totals_by_language, totals_of
from examples.code_audit.report.page import render_page

if TYPE_CHECKING:
    from collections.abc import Sequence

HOT_SPOTS_LIMIT = 100


def write_files(root: str, output: Path, reports: Sequence[FileReport]) -> AuditSummary:
    """Writes `report.json` and `report.html`, sorted by path: the same bytes for the same tree."""
    files = sorted(reports, key=lambda report: report.path)
    output.mkdir(parents=True, exist_ok=True)
    json_path, html_path = output / "report.json", output / "report.html"
    _write(json_path, render_json(root, files))
    _write(html_path, render_page(root, files))
    totals = totals_of(files)
    return AuditSummary(
        report_html=str(html_path),
        report_json=str(json_path),
        files=totals.files,
        functions=totals.functions,
        lines=totals.lines,
        errors=totals.errors,
    )


def render_json(root: str, files: Sequence[FileReport]) -> str:
    """The whole report as JSON, one file and one hot spot a line."""
    head = {
        "format": 1,
        "root": root,
        "totals": asdict(totals_of(files)),
        "languages": {name: asdict(of) for name, of in totals_by_language(files).items()},
    }
    spots = [
        {"path": spot.path, "language": spot.language, "score": spot.score} | asdict(spot.function)
        for spot in hot_spots(files, HOT_SPOTS_LIMIT)
    ]
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    parts += [f'"hot_spots": {_lines(spots)}', f'"files": {_lines(map(_file, files))}']
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _file(report: FileReport) -> dict[str, Any]:
    fields = asdict(report)
    if report.error is None:
        del fields["error"]
    return fields


def _lines(items: Any) -> str:
    lines = ",\n".join(f"  {json.dumps(item)}" for item in items)
    return f"[\n{lines}\n]" if lines else "[]"


def _write(path: Path, text: str) -> None:
    """Puts a complete file in place: an attempt that is killed leaves the old one."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(path)
