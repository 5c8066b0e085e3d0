"""Each rule finds what is wrong in a small bad sample, and nothing in its mended twin."""

from dataclasses import dataclass

import pytest

from tests.tidy.rules import RULES
from tests.tidy.tree import BINARY, Tree


@dataclass(frozen=True)
class Sample:
    rule: str
    path: str
    bad: str
    good: str
    beside: tuple[tuple[str, str], ...] = ()

    def findings(self, text: str) -> list[str]:
        tree = Tree({**dict(self.beside), self.path: text})
        return [finding.path for finding in RULES[self.rule](tree)]


def manifest(name: str, *dependencies: str) -> str:
    wanted = "".join(f"{dependency}.workspace = true\n" for dependency in dependencies)
    return f'[package]\nname = "{name}"\n[dependencies]\n{wanted}'


def python_function(lines: int) -> str:
    return "def long() -> None:\n" + "    pass\n" * (lines - 1)


def braces(head: str, lines: int) -> str:
    return head + " {\n" + "    step();\n" * (lines - 2) + "}\n"


def methods(count: int) -> str:
    return "class Wide:\n" + "".join(f"    def m{n}(self) -> None: ...\n" for n in range(count))


def attributes(count: int) -> str:
    body = "".join(f"        self.a{n} = {n}\n" for n in range(count))
    return f"class Wide:\n    def __init__(self) -> None:\n{body}"


MACHINE = ("core_rs/machine/Cargo.toml", manifest("perdure-machine"))
HISTORY = ("core_rs/history/Cargo.toml", manifest("perdure-history"))
ENGINE = ("core_rs/engine/Cargo.toml", manifest("perdure-engine"))
LEFTOVER = "TO" + "DO"

SAMPLES = [
    Sample("file_length", "a/b.rs", "//\n" * 601, "//\n" * 600),
    Sample("file_length", "tests/test_b.py", "#\n" * 801, "#\n" * 800),
    Sample("line_length", "a/b.go", "x" * 101, "x" * 100),
    Sample("line_length", "a/tabs.go", "\t" * 24 + "x" * 5, "\t" * 24 + "x" * 4),
    Sample("line_length", ".ci/run", "#!/bin/bash\n" + "x" * 101, "#!/bin/bash\n" + "x" * 100),
    Sample("banner_comment", "a/b.py", "#### Calls ####\n", "# Calls come first.\n"),
    Sample("banner_comment", "a/b.rs", "// ---- calls ----\n", "// | a | b |\n"),
    Sample("banner_comment", "a/b.ts", "//==========\n", "// a === b\n"),
    Sample("one_title", "a.md", "# One\n\n# Two\n", "# One\n\n```sh\n# not a title\n```\n"),
    Sample("one_title", "a.md", "No title.\n", "# A title\n\n````md\n```\n# no\n```\n````\n"),
    Sample("forbidden_words", "a.lock", "https://" + "pypi" + ".org/simple", "registry+crates"),
    Sample("forbidden_words", "a.md", "see /" + "work/notes", "see docs/work/notes"),
    Sample("forbidden_words", "a.rs", f"// {LEFTOVER} later", f"// {LEFTOVER}(#12) later"),
    Sample("python_function_length", "a.py", python_function(71), python_function(70)),
    Sample("class_size", "a.py", methods(21), methods(20)),
    Sample("init_attributes", "a.py", attributes(13), attributes(12)),
    Sample("package_front", "a/__init__.py", "import os\nos.getcwd()\n", '"""A."""\nimport os\n'),
    Sample("package_front", "a/__init__.py", "def f() -> None: ...\n", '__all__ = ["f"]\n'),
    Sample("package_front", "a/__init__.py", "X = dict(a=1)\n", "X: int = 1\n"),
    Sample(
        "go_function_length",
        "a.go",
        braces("func (w *Worker) Run(name string) error", 71),
        braces("func (w *Worker) Run(name string) error", 70),
    ),
    Sample(
        "typescript_function_length",
        "a.ts",
        braces("export async function run(name: string): Promise<void>", 71),
        braces("export async function run(name: string): Promise<void>", 70),
    ),
    Sample(
        "typescript_function_length",
        "b.ts",
        "class A {\n" + braces("  private run(a: string): void", 71) + "}\n",
        "class A {\n" + braces("  private run(a: string): void", 70) + "}\n",
    ),
    Sample(
        "typescript_function_length",
        "c.ts",
        braces("const run = (text: string) =>", 70).replace("}", 'use("}");\n}'),
        braces("const run = (text: string) =>", 69).replace("}", 'use("{");\n}'),
    ),
    Sample(
        "crate_dependencies",
        "core_rs/machine/Cargo.toml",
        manifest("perdure-machine", "perdure-store"),
        manifest("perdure-machine", "perdure-history", "bytes"),
    ),
    Sample(
        "crate_dependencies",
        "core_rs/history/Cargo.toml",
        manifest("perdure-history", "rand"),
        manifest("perdure-history", "uuid"),
    ),
    Sample(
        "crate_dependencies",
        "core_rs/engine/Cargo.toml",
        manifest("perdure-engine", "async-nats"),
        manifest("perdure-engine", "perdure-store", "crossbeam-channel"),
    ),
    Sample(
        "crate_dependencies",
        "core_rs/transport/Cargo.toml",
        manifest("perdure-transport", "perdure-machine"),
        manifest("perdure-transport", "perdure-engine", "tokio"),
    ),
    Sample(
        "no_std",
        "core_rs/machine/src/lib.rs",
        "//! The machine.\n",
        "//! The machine.\n#![no_std]\n",
        (MACHINE,),
    ),
    Sample(
        "no_std",
        "core_rs/history/src/lib.rs",
        "#![no_std]\nuse std::time::Instant;\n",
        "#![no_std]\n// not std::time\n#[cfg(test)]\nmod tests { use std::fs; }\n",
        (HISTORY,),
    ),
    Sample(
        "clock",
        "core_rs/store/src/local.rs",
        "fn f() { let now = SystemTime::now(); }\n",
        "fn f(now: Timestamp) {}\n",
    ),
    Sample(
        "crate_front",
        "core_rs/engine/src/lib.rs",
        "//! E.\npub mod a;\n\npub fn run() {}\n",
        "//! E.\npub mod a;\n\n#[pymodule]\nfn native() {}\n",
        (ENGINE,),
    ),
    Sample("bare_root", "STRESS-RESULTS.md", "# Debris\n", "# Debris\n"),
    Sample("no_binaries", "a/goaudit/goaudit", BINARY, "text"),
    Sample("dead_python", "a/b.py", "", "", (("a/c.py", "from a import c\n"),)),
    Sample("dead_rust", "a/src/b.rs", "", "", (("a/src/lib.rs", "mod c;\n"),)),
    Sample("dead_typescript", "a/b.ts", "", "", (("a/mod.ts", 'import "./c.js";\n'),)),
    Sample("sleeping_tests", "tests/a.rs", "thread::sleep(d);\n", "wait_until(|| done());\n"),
    Sample(
        "sleeping_tests",
        "a/b_test.go",
        "time.Sleep(second)\n",
        "for !done() {\n\tfailAfter(deadline)\n\ttime.Sleep(pause)\n}\n",
    ),
    Sample("sleeping_tests", "a/b.test.ts", "setTimeout(done, 5);\n", "await done;\n"),
    Sample(
        "sleeping_tests",
        "tests/test_a.py",
        "async def test_a() -> None:\n    await asyncio.sleep(1)\n",
        "@workflow.defn\nasync def nap() -> None:\n    await asyncio.sleep(86400)\n",
    ),
    Sample("whole_words", "a.py", "def f(ctx: int) -> None: ...\n", "def f(context): ...\n"),
    Sample("whole_words", "a.rs", "let msg_count = 1;\n", "let count = msg_count();\n"),
    Sample("whole_words", "b.rs", "fn f(buf: &[u8]) {}\n", "fn f(buffer: &[u8]) {}\n"),
    Sample("whole_words", "a.ts", "const reqId = 1;\n", "const requestId = 1;\n"),
    Sample(
        "asserting_tests",
        "tests/test_a.py",
        "def test_opens() -> None:\n    open_store()\n",
        "def test_opens() -> None:\n    with pytest.raises(OSError):\n        open_store()\n",
    ),
]

# Rules about where a file stands: what mends them is another place or another neighbour.
MENDED_ELSEWHERE = {
    "bare_root": Tree({"docs/results.md": "# Kept\n"}),
    "dead_python": Tree({"a/b.py": "", "a/test_c.py": "from a import b\n"}),
    "dead_rust": Tree({"a/src/b.rs": "", "a/src/lib.rs": "pub mod b;\n"}),
    "dead_typescript": Tree({"a/b.ts": "", "a/mod.ts": 'export { b } from "./b.js";\n'}),
}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.rule}-{sample.path}")
def test_a_bad_sample_is_found(sample: Sample) -> None:
    assert sample.path in sample.findings(sample.bad)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.rule}-{sample.path}")
def test_its_mended_twin_passes(sample: Sample) -> None:
    if mended := MENDED_ELSEWHERE.get(sample.rule):
        assert not list(RULES[sample.rule](mended))
    else:
        assert sample.findings(sample.good) == []


def test_every_rule_has_a_sample() -> None:
    assert {sample.rule for sample in SAMPLES} == set(RULES)
