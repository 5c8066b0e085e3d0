"""Measures of every text: length of lines and files, banners, titles, words that stay out."""

import re
from collections.abc import Iterator

from tests.tidy.tree import Finding, Tree, is_test

SOURCE_LINES_MAX = 600
TEST_LINES_MAX = 800
COLUMNS_MAX = 100

# A word to a type checker may stand beyond the edge, as ruff has it too.
PRAGMA = re.compile(r"  # (type: ignore|noqa|pyright:)\S*.*$")
BANNER = re.compile(r"^\s*(#|//[/!]?|--|/?\*)\s*([-=*#~_+]{4,}|[─━═]{3,}|[-=*#~]{3,}\s)")
SHEBANG_OR_TABLE = re.compile(r"^(#!|\s*(//[/!]?|#)\s*\|)")

# Assembled, so that this file does not hold what it forbids.
REGISTRY_HOSTS = re.compile(
    "|".join(
        re.escape(".".join(labels))
        for labels in (
            ("registry", "npmjs", "org"),
            ("registry", "yarnpkg", "com"),
            ("pypi", "org"),
            ("files", "pythonhosted", "org"),
            ("proxy", "golang", "org"),
            ("sum", "golang", "org"),
            ("static", "crates", "io"),
            ("index", "crates", "io"),
        )
    )
)
MACHINE_PATHS = re.compile("|".join(f"(?<![\\w.-])/{place}/" for place in ("work", "root", "opt")))
UNNUMBERED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b(?!\(#\d+\))")


def file_length(tree: Tree) -> Iterator[Finding]:
    """A source file has at most 600 lines, a test file 800."""
    for path in tree.sources():
        limit = TEST_LINES_MAX if is_test(path) else SOURCE_LINES_MAX
        length = len(tree.lines(path))
        if length > limit:
            yield Finding(path, 1, f"{length} lines, {limit} at most: which noun moves out?")


def line_length(tree: Tree) -> Iterator[Finding]:
    """A line has at most 100 columns."""
    for path in tree.sources():
        for number, line in enumerate(tree.lines(path), start=1):
            columns = len(PRAGMA.sub("", line.expandtabs(4)))
            if columns > COLUMNS_MAX:
                yield Finding(path, number, f"{columns} columns, {COLUMNS_MAX} at most")


def banner_comment(tree: Tree) -> Iterator[Finding]:
    """A banner is a file that was not made."""
    for path in tree.sources():
        for number, line in enumerate(tree.lines(path), start=1):
            if BANNER.match(line) and not SHEBANG_OR_TABLE.match(line):
                yield Finding(path, number, "a banner comment: make it a file, or a sentence")


def one_title(tree: Tree) -> Iterator[Finding]:
    """A Markdown document has one title, and begins with it."""
    for path in tree.paths(".md"):
        titles = [number for number, line in prose_lines(tree.texts[path]) if line.startswith("# ")]
        if len(titles) != 1:
            yield Finding(path, 1, f"{len(titles)} titles (`# …`), one wanted")


def prose_lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a document that stand outside its code blocks."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            yield number, line


def forbidden_words(tree: Tree) -> Iterator[Finding]:
    """No registry host, no path of one machine, no leftover without an issue's number."""
    for path in tree.paths():
        for number, line in enumerate(tree.lines(path), start=1):
            if found := REGISTRY_HOSTS.search(line):
                yield Finding(path, number, f"names a registry's host: {found[0]}")
            if found := MACHINE_PATHS.search(line):
                yield Finding(path, number, f"names a path of one machine: {found[0]}")
            if found := UNNUMBERED.search(line):
                yield Finding(path, number, f"{found[0]} without the number of an issue")
