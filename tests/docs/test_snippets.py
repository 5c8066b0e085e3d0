"""Every snippet of the README and the guide does what its document says."""

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
