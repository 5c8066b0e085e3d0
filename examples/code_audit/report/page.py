"""The page: one file that needs no network, with its data, style and script inside."""

from __future__ import annotations

import html
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.code_audit.languages import LANGUAGES
from examples.code_audit.report.figures import hot_spots, totals_by_language, totals_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from examples.code_audit.records import FileReport

DRAWN_FUNCTIONS_LIMIT = 1_500
"""Functions that are drawn one by one, highest score first; the rest is drawn as density."""

ERRORS_LIMIT = 500

FOLDER = Path(__file__).parent


def render_page(root: str, files: Sequence[FileReport]) -> str:
    """The page as text."""
    page = _read("page.html")
    parts = {
        "title": html.escape(root),
        "style": _read("page.css"),
        "script": "\n".join(_read(name) for name in ("treemap.js", "scatter.js", "page.js")),
        "data": _inline(page_data(root, files)),
    }
    for name, text in parts.items():
        page = page.replace(f"<!--{name}-->", text, 1)
    return page


def page_data(root: str, files: Sequence[FileReport]) -> dict[str, Any]:
    """What the script draws: rows instead of objects, because a large tree has many of them."""
    index_of = {file.path: index for index, file in enumerate(files)}
    drawn = hot_spots(files, DRAWN_FUNCTIONS_LIMIT)
    return {
        "root": root,
        "languages": list(LANGUAGES),
        "totals": asdict(totals_of(files)),
        "byLanguage": {name: asdict(of) for name, of in totals_by_language(files).items()},
        "files": [_file_row(file) for file in files],
        "functions": [
            [
                index_of[spot.path],
                spot.function.name,
                spot.function.line,
                spot.function.length,
                spot.function.complexity,
                spot.function.nesting,
                int(spot.function.documented),
            ]
            for spot in drawn
        ],
        "points": _points(files),
        "errors": [
            [file.path, file.error.kind, file.error.line, file.error.message]
            for file in files
            if file.error is not None
        ][:ERRORS_LIMIT],
    }


def _file_row(file: FileReport) -> list[Any]:
    functions = file.functions
    return [
        file.path,
        LANGUAGES.index(file.language),
        file.lines,
        len(functions),
        max((function.complexity for function in functions), default=0),
        max((function.nesting for function in functions), default=0),
        sum(function.exported for function in functions),
        sum(function.exported and function.documented for function in functions),
        int(file.error is not None),
    ]


def _points(files: Sequence[FileReport]) -> list[list[int]]:
    """How many functions of a language have a length and complexity: sorted rows, most once."""
    counts = Counter(
        (LANGUAGES.index(file.language), function.length, function.complexity)
        for file in files
        for function in file.functions
    )
    return [[*key, count] for key, count in sorted(counts.items())]


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _inline(value: Any) -> str:
    """JSON that cannot end the script element around it, whatever a file is called."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
