"""Every snippet of the README and the guide does what its document says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.snippets import Block, Notebook, SnippetError, blocks, commands, matches
from tests.tidy.tree import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs/guide").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_snippets_run(document: Path, tmp_path: Path) -> None:
    text = document.read_text()
    unnamed = [block for block in blocks(text) if block.language == "python" and not block.file]
    assert Notebook(tmp_path).run(text) == len(unnamed) + text.count("\n$ ")


def test_hello_world_is_twelve_lines_long() -> None:
    hello = next(
        block for block in blocks((ROOT / "README.md").read_text()) if block.file == "hello.py"
    )
    assert len([line for line in hello.text.splitlines() if line]) == 12


def test_both_checkers_accept_the_python_files_in_their_strict_mode(tmp_path: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file="]
    mypy += ["--cache-dir", str(tmp_path / ".cache")]
    (tmp_path / ".cache").mkdir()
    for document in DOCUMENTS:
        folder = tmp_path / document.stem.lower()
        folder.mkdir()
        for block in blocks(document.read_text()):
            if block.language == "python" and block.file:
                (folder / block.file).write_text(block.text)
        # Files of one document see each other, and documents may use the same names.
        checked = subprocess.run(
            [*mypy, "."],
            cwd=folder,
            env={**os.environ, "MYPYPATH": str(ROOT / "python")},
            capture_output=True,
            text=True,
            check=False,
        )
        has_files = any(folder.iterdir())
        assert checked.returncode == 0 or not has_files, checked.stdout + checked.stderr
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT / "python")],
        "executionEnvironments": [{"root": path.name} for path in sorted(tmp_path.iterdir())],
        "exclude": [".cache"],
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--project", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_the_readme_shows_three_languages() -> None:
    shown = {block.language for block in blocks((ROOT / "README.md").read_text()) if block.file}
    assert shown == {"python", "go", "ts"}


def test_blocks_know_their_language_and_file() -> None:
    document = "# A\n```python file=a.py\nprint(1)\n```\n\n```console\n$ python a.py\n1\n```\n"
    assert blocks(document) == [
        Block("python", "a.py", "print(1)\n"),
        Block("console", "", "$ python a.py\n1\n"),
    ]


def test_a_console_block_is_read_command_by_command() -> None:
    found = list(commands("$ echo a\na\n$ true\n$ echo b\nb\n"))
    assert [command.typed for command in found] == ["echo a", "true", "echo b"]
    assert [command.expected for command in found] == ["a\n", "", "b\n"]


def test_dots_stand_for_anything() -> None:
    assert matches("took … ms\n", "took 12.5 ms")
    assert not matches("took … ms\n", "took 12.5 s")


GO_SAMPLE = """
```go file=a/main.go
package main

import "fmt"

func main() { fmt.Println("1 from Go") }
```
```console
$ ./a/a
1 from Go
```
"""
TYPESCRIPT_SAMPLE = """
```ts file=a.ts
const n: number = 1;
console.log(n, "from", process.title);
```
```console
$ node a.js
1 from node
```
"""


@pytest.mark.parametrize("document", [GO_SAMPLE, TYPESCRIPT_SAMPLE], ids=["go", "typescript"])
def test_foreign_snippets_are_built_and_run(document: str, tmp_path: Path) -> None:
    assert Notebook(tmp_path).run(document) == 1


@pytest.mark.parametrize(
    "document",
    [
        "```python\nraise SystemExit(3)\n```\n",
        "```python file=a.py\nprint(1)\n```\n```console\n$ python a.py\n2\n```\n",
        "```python file=a.py\nprint(1)\n```\n",
        "```python\nimport warnings\nwarnings.warn('old', DeprecationWarning)\n```\n",
        "```go file=a/main.go\npackage main\n\nfunc main() { undefined() }\n```\n",
        '```ts file=a.ts\nconst n: number = "text";\n```\n',
    ],
    ids=["exit code", "other output", "never run", "warning", "go", "typescript"],
)
def test_a_wrong_snippet_is_found(document: str, tmp_path: Path) -> None:
    with pytest.raises(SnippetError):
        Notebook(tmp_path).run(document)
