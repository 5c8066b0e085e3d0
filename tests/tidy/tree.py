"""The files that the house measures look at: the project's own, or a small sample's."""

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[2]

SOURCE_SUFFIXES = frozenset({".py", ".pyi", ".rs", ".go", ".ts", ".mts", ".js", ".mjs", ".sql"})

# Inputs of analyzers and golden data are read as they are, ugly ones among them.
DATA = re.compile(r"(^|/)(fixtures|vectors/[^/]+\.json|node_modules)(/|$)")

# What stands for the text of a file that has none.
BINARY = "\0"

TEST = re.compile(
    r"(^|/)(tests?|conformance)/|(^|/)test_[^/]+\.py$|_test\.go$|\.test\.m?[jt]s$|/tests\.rs$"
)


@dataclass(frozen=True, order=True)
class Finding:
    """One place where the project is not as it should look."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


class Tree:
    """Texts by path, so that a rule runs on the project and on a bad sample alike."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def paths(self, *suffixes: str, under: str = "") -> Iterator[str]:
        """Every path with one of the suffixes (all without one), in order."""
        for path in sorted(self.texts):
            if path.startswith(under) and (not suffixes or path.endswith(suffixes)):
                yield path

    def sources(self) -> Iterator[str]:
        for path in self.paths():
            if PurePosixPath(path).suffix in SOURCE_SUFFIXES or self.is_script(path):
                yield path

    def is_script(self, path: str) -> bool:
        return not PurePosixPath(path).suffix and self.texts[path].startswith("#!")

    def lines(self, path: str) -> list[str]:
        return self.texts[path].splitlines()

    def line_of(self, path: str, offset: int) -> int:
        return self.texts[path].count("\n", 0, offset) + 1

    @cached_property
    def _modules(self) -> dict[str, ast.Module]:
        return {path: ast.parse(self.texts[path], path) for path in self.paths(".py", ".pyi")}

    def python(self) -> Iterator[tuple[str, ast.Module]]:
        yield from self._modules.items()

    def toml(self, path: str) -> dict[str, Any]:
        return tomllib.loads(self.texts[path])


Rule = Callable[[Tree], Iterator[Finding]]


def is_test(path: str) -> bool:
    return TEST.search(path) is not None


def project_tree() -> Tree:
    """The files that git tracks or would track, fixtures left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    texts: dict[str, str] = {}
    for name in os.fsdecode(listed.stdout).split("\0"):
        if not name or DATA.search(name) or not (ROOT / name).is_file():
            continue
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            texts[name] = BINARY
    return Tree(texts)
