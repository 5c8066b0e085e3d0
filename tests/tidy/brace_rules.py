"""Length of functions in Go and TypeScript, by a scan of braces."""

import re
from collections.abc import Iterator

from tests.tidy.python_rules import FUNCTION_LINES_MAX
from tests.tidy.tree import Finding, Tree

GO_FUNCTION = re.compile(r"^func (\([^)]*\) )?(?P<name>\w+)")
TYPESCRIPT_FUNCTION = re.compile(
    r"^\s*(export )?(default )?(async )?function\*? ?(?P<function>\w+)"
    r"|^\s*(export )?const (?P<arrow>\w+)( *: *[^=]+)? = (async )?\(?[^=;]*=>\s*\{$"
    r"|^\s+((public|private|protected|static|async|override|get|set) )*\*?(?P<method>#?\w+)"
    r"(<[^>]*>)?\([^;]*\{$"
)
KEYWORDS = {"if", "for", "while", "switch", "catch", "return", "function", "with", "do", "super"}

# Comments, texts, templates and regular expressions may hold braces that open nothing.
NOT_CODE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`"
    r"|(?<=[(=,:!&|?\[])\s*/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/",
    re.DOTALL,
)


def _only_newlines(found: re.Match[str]) -> str:
    return "\n" * found[0].count("\n")


def go_function_length(tree: Tree) -> Iterator[Finding]:
    """A Go function has at most 70 lines: gofmt puts its closing brace in the first column."""
    for path in tree.paths(".go"):
        name, began = "", 0
        for number, line in enumerate(tree.lines(path), start=1):
            if found := GO_FUNCTION.match(line):
                name, began = found["name"], number
            if line.startswith("}") and name:
                yield from _too_long(path, name, began, number)
                name = ""


def typescript_function_length(tree: Tree) -> Iterator[Finding]:
    """A TypeScript or JavaScript function has at most 70 lines."""
    for path in tree.paths(".ts", ".mts", ".js", ".mjs"):
        depth = 0
        open_functions: list[tuple[str, int, int]] = []
        code = NOT_CODE.sub(_only_newlines, tree.texts[path])
        for number, line in enumerate(code.splitlines(), start=1):
            if name := _typescript_name(line):
                open_functions.append((name, number, depth))
            depth += line.count("{") - line.count("}")
            while open_functions and depth <= open_functions[-1][2] and "}" in line:
                name, began, _ = open_functions.pop()
                yield from _too_long(path, name, began, number)


def _typescript_name(line: str) -> str:
    found = TYPESCRIPT_FUNCTION.match(line)
    if not found:
        return ""
    name = found["function"] or found["arrow"] or found["method"] or ""
    return "" if name in KEYWORDS else name


def _too_long(path: str, name: str, began: int, ended: int) -> Iterator[Finding]:
    length = ended - began + 1
    if length > FUNCTION_LINES_MAX:
        message = f"{name} has {length} lines, {FUNCTION_LINES_MAX} at most"
        yield Finding(path, began, message)
