"""Measures of the crates: what each may depend on, and what it therefore cannot know."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.tidy.tree import Finding, Tree

# A crate is worth its manifest only if it forbids something (docs/adr/0001).
OURS = {
    "perdure-history": set[str](),
    "perdure-machine": {"perdure-history"},
    "perdure-store": {"perdure-history"},
    "perdure-engine": {"perdure-history", "perdure-machine", "perdure-store"},
    "perdure-transport": {"perdure-history", "perdure-engine"},
}
# Crates without the standard library, in the two that must not have it.
WITHOUT_STD = {
    "blake3",
    "bytes",
    "crc32fast",
    "hashbrown",
    "serde",
    "serde_json",
    "smallvec",
    "thiserror",
    "uuid",
    "xxhash-rust",
}
NO_STD_CRATES = {"perdure-history", "perdure-machine"}
WIRE = {"async-nats", "prost", "reqwest", "tonic"}
RUNTIME = {"async-std", "smol", "tokio"}
PYTHON = {"pyo3"}
FORBIDDEN = {
    "perdure-store": WIRE | RUNTIME | PYTHON,
    "perdure-engine": WIRE | RUNTIME | PYTHON,
    "perdure-transport": PYTHON | {"rusqlite"},
}

CLOCK = re.compile(r"\b(Instant|SystemTime|Utc|Local|OffsetDateTime)::now(_utc)?\b")
CLOCK_FILE = "core_rs/engine/src/clock.rs"
LOGIC = re.compile(
    r"^(pub(\([^)]*\))? )?((async|const|unsafe) )*(fn|impl|struct|enum|trait|macro_rules!|static)\b"
)
TESTS_BEGIN = re.compile(r"^\s*#\[cfg\((all\()?test\b")


def crates(tree: Tree) -> Iterator[tuple[str, str]]:
    """The folder and the name of each crate of the engine."""
    for path in tree.paths("/Cargo.toml", under="core_rs/"):
        yield str(PurePosixPath(path).parent), tree.toml(path)["package"]["name"]


def crate_dependencies(tree: Tree) -> Iterator[Finding]:
    """Each crate depends on what the layout allows and on nothing else."""
    for folder, name in crates(tree):
        if name not in OURS:
            continue
        manifest = f"{folder}/Cargo.toml"
        dependencies = set(tree.toml(manifest).get("dependencies", {}))
        ours = {dependency for dependency in dependencies if dependency.startswith("perdure-")}
        unwanted = ours - OURS[name] | dependencies & FORBIDDEN.get(name, set())
        if name in NO_STD_CRATES:
            unwanted |= dependencies - ours - WITHOUT_STD
        for dependency in sorted(unwanted):
            yield Finding(manifest, 1, f"{name} may not depend on {dependency}")


def no_std(tree: Tree) -> Iterator[Finding]:
    """History and machine cannot name a clock, a disk, a thread or chance."""
    for folder, name in crates(tree):
        if name not in NO_STD_CRATES:
            continue
        root = f"{folder}/src/lib.rs"
        if "\n#![no_std]" not in f"\n{tree.texts.get(root, '')}":
            yield Finding(root, 1, "#![no_std] is missing")
        for path in tree.paths(".rs", under=f"{folder}/src/"):
            for number, line in code_lines(tree, path):
                if re.search(r"\bextern crate std\b|\bstd::", line):
                    yield Finding(path, number, "names the standard library")


def clock(tree: Tree) -> Iterator[Finding]:
    """One file reads a clock; everybody else is handed the time."""
    for path in tree.paths(".rs", under="core_rs/"):
        if path == CLOCK_FILE or "/src/" not in path:
            continue
        for number, line in code_lines(tree, path):
            if found := CLOCK.search(line):
                yield Finding(path, number, f"{found[0]} outside {CLOCK_FILE}")


def crate_front(tree: Tree) -> Iterator[Finding]:
    """A crate's root lists its modules and says what it is for."""
    for folder, _ in crates(tree):
        root = f"{folder}/src/lib.rs"
        previous = ""
        for number, line in enumerate(tree.texts.get(root, "").splitlines(), start=1):
            if LOGIC.match(line) and not previous.startswith(("#[pymodule", "#[pyo3")):
                yield Finding(root, number, "logic in a crate's root")
            if line and not line.startswith("//"):
                previous = line


def code_lines(tree: Tree, path: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a Rust file without comments and without its tests module."""
    if path.endswith(("/tests.rs", "_tests.rs")) or "/tests/" in path:
        return
    for number, line in enumerate(tree.lines(path), start=1):
        if TESTS_BEGIN.match(line):
            return
        code = line.split("//", 1)[0]
        if code.strip():
            yield number, code
