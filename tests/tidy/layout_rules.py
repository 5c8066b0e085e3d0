"""Measures of the tree: a bare root, and no file that nothing uses."""

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.tree import BINARY, Finding, Tree, is_test

ROOT_ENTRIES = {
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "Makefile",
    "README.md",
    "benches",
    "bridges",
    "clippy.toml",
    "core_rs",
    "docs",
    "examples",
    "pyproject.toml",
    "python",
    "tests",
}
# Files that a tool, a person or a test's folder walk starts, not an import.
PYTHON_ENTRY = re.compile(
    r"(^|/)(__init__|__main__|conftest|test_\w+)\.py$"
    r"|^tests/histories/.+/workflow\.py$|^examples/[^/]+/main\.py$|^docs/"
)
RUST_ENTRY = re.compile(r"(^|/)(src/(lib|main)\.rs|build\.rs|src/bin/[^/]+\.rs)$")
RUST_TARGET = re.compile(r"/(tests|benches|examples)/([^/]+|[^/]+/main)\.rs$")
RUST_MODULE = re.compile(
    r"^\s*(?:#\[path = \"(?P<path>[^\"]+)\"\]\s*)?(?:pub(?:\([^)]*\))? )?mod (?P<name>\w+);",
    re.MULTILINE,
)
TYPESCRIPT_IMPORT = re.compile(r"(?:from|import)\s*\(?\s*[\"'](?P<name>\.[^\"']+)[\"']")
TYPESCRIPT_ENTRY = re.compile(
    r"(^|/)(main|mod|internal_mod)\.m?ts$|\.test\.m?ts$|\.config\.m?[jt]s$|/(examples|conformance)/"
)


def bare_root(tree: Tree) -> Iterator[Finding]:
    """The root holds what tools force and folders with a name of the layout."""
    for entry in sorted({path.split("/", 1)[0] for path in tree.paths()} - ROOT_ENTRIES):
        yield Finding(entry, 1, "does not belong into the root")


def no_binaries(tree: Tree) -> Iterator[Finding]:
    """What is built is not kept; pictures and golden data are."""
    for path in tree.paths():
        if tree.texts[path] == BINARY and not path.endswith((".png", ".msgpack", ".db")):
            yield Finding(path, 1, "a binary file")


def dead_python(tree: Tree) -> Iterator[Finding]:
    """Every module is imported by another one, or is started by name."""
    imported: set[str] = set()
    started: set[str] = set()
    for path, module in tree.python():
        imported.update(_imports(path, module))
    for path in tree.paths():
        started.update(_started_by(path, tree.texts[path]))
    for path in tree.paths(".py"):
        if PYTHON_ENTRY.search(path) or any(f"/{path}".endswith(f"/{name}") for name in started):
            continue
        parts = PurePosixPath(path).with_suffix("").parts
        names = {".".join(parts[index:]) for index in range(len(parts))}
        if not names & imported:
            yield Finding(path, 1, "no module imports it and nothing starts it")


def _started_by(path: str, text: str) -> Iterator[str]:
    """Files that a text names to start them: `python x.py`, `-m x.y`, a program's quoted name."""
    if path.endswith(".py"):
        yield from re.findall(r"[\"']([\w/]+\.py)[\"']", text)
    else:
        yield from re.findall(r"[\w/]+\.py\b", text)
    for name in re.findall(r"-m[\", ]+([\w.]+)", text):
        yield f"{name.replace('.', '/')}.py"


def _imports(path: str, module: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports, its own left out."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=name, names=names, level=level):
                above = package[: len(package) - level + 1] if level else ()
                base = ".".join([*above, *([name] if name else [])])
                yield base
                yield from (f"{base}.{alias.name}" if base else alias.name for alias in names)
                if level and above[:1] == ("python",):
                    yield base.removeprefix("python.")
                    yield from (f"{base}.{alias.name}".removeprefix("python.") for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield name
            case _:
                pass


def dead_rust(tree: Tree) -> Iterator[Finding]:
    """Every Rust file is a module of its crate or a target of Cargo's."""
    alive: set[str] = set()
    waiting = [
        path
        for path in tree.paths(".rs")
        if RUST_ENTRY.search(path) or RUST_TARGET.search(path) or _named_target(tree, path)
    ]
    while waiting:
        path = waiting.pop()
        if path in alive or path not in tree.texts:
            continue
        alive.add(path)
        folder = posixpath.dirname(path)
        stem = PurePosixPath(path).stem
        if stem not in {"lib", "main", "mod"} and not RUST_TARGET.search(path):
            inside = f"{folder}/{stem}"
        else:
            inside = folder
        for found in RUST_MODULE.finditer(tree.texts[path]):
            if found["path"]:
                waiting.append(posixpath.normpath(f"{folder}/{found['path']}"))
            else:
                waiting.append(f"{inside}/{found['name']}.rs")
                waiting.append(f"{inside}/{found['name']}/mod.rs")
    for path in tree.paths(".rs"):
        if path not in alive:
            yield Finding(path, 1, "no `mod` names it")


def _named_target(tree: Tree, path: str) -> bool:
    """Whether a manifest above names the file: `[[bench]] path = …`."""
    for manifest in tree.paths("Cargo.toml"):
        folder = posixpath.dirname(manifest)
        if path.startswith(f"{folder}/"):
            relative = path.removeprefix(f"{folder}/")
            if f'path = "{relative}"' in tree.texts[manifest]:
                return True
    return False


def dead_typescript(tree: Tree) -> Iterator[Finding]:
    """Every TypeScript file is imported, or is the start of a program or a test."""
    imported: set[str] = set()
    for path in tree.paths(".ts", ".mts"):
        for found in TYPESCRIPT_IMPORT.finditer(tree.texts[path]):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), found["name"]))
            imported.add(re.sub(r"\.m?[jt]s$", "", target))
    for path in tree.paths(".ts", ".mts"):
        if TYPESCRIPT_ENTRY.search(path):
            continue
        if re.sub(r"\.m?ts$", "", path) not in imported:
            yield Finding(path, 1, "no file imports it")


def sleeping_tests(tree: Tree) -> Iterator[Finding]:
    """A test waits for a condition, never for a while."""
    patterns = {
        ".rs": r"\bthread::sleep\(",
        ".go": r"\btime\.Sleep\(",
        ".ts": r"\bsetTimeout\(\s*\w+\s*,|timers/promises",
    }
    found: list[tuple[str, int]] = []
    for suffix, pattern in patterns.items():
        for path in filter(_waits, tree.paths(suffix)):
            for number, line in enumerate(tree.lines(path), start=1):
                if re.search(pattern, line):
                    found.append((path, number))
    for path, module in tree.python():
        if _waits(path):
            found.extend((path, number) for number in _python_sleeps(module))
    for path, number in found:
        if not _polls(tree.lines(path)[max(0, number - 12) : number]):
            yield Finding(path, number, "sleeps: wait for a condition instead")


def _waits(path: str) -> bool:
    """A worker of the conformance suite is no test: that it is slow is what is tested."""
    return is_test(path) and "/conformance/" not in path


def _polls(before: list[str]) -> bool:
    """Whether a sleep is the pause of a loop that looks at a condition until a deadline."""
    text = "\n".join(before)
    return "deadline" in text and re.search(r"\b(for|while|loop)\b", text) is not None


def _python_sleeps(node: ast.AST, *, durable: bool = False) -> Iterator[int]:
    """Lines that sleep; a workflow's or an activity's own sleep is what is tested."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = " ".join(ast.unparse(item) for item in node.decorator_list)
        durable = durable or bool(re.search(r"\b(workflow|activity)\.", decorators))
    if isinstance(node, ast.Call) and not durable:
        name = ast.unparse(node.func)
        yields = name == "asyncio.sleep" and [ast.unparse(item) for item in node.args] == ["0"]
        if name in {"time.sleep", "asyncio.sleep", "sleep"} and not yields:
            yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from _python_sleeps(child, durable=durable)


def asserting_tests(tree: Tree) -> Iterator[Finding]:
    """A test that cannot fail is none."""
    for path, module in tree.python():
        if not PurePosixPath(path).name.startswith("test_"):
            continue
        for node in ast.walk(module):
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name.startswith("test_")
                and not any(_asserts(part) for part in ast.walk(node))
            ):
                yield Finding(path, node.lineno, f"{node.name} asserts nothing")


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rsplit(".", 1)[-1]
        return name in {"raises", "fail", "warns"} or name.startswith(
            ("assert_", "_assert", "check_", "_check", "expect_", "_expect")
        )
    return False
