"""The code blocks of a document, written to files and run as its reader would run them.

A block that names a file (```python file=hello.py) is written under that name; the blocks of one
document share a folder. A `console` block is typed line by line: what follows `$ ` is run, what
follows that is the output expected, where `…` stands for anything. A Python block without a name
is run by itself. Go files are built to a program named as their folder, TypeScript files to
JavaScript beside them.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tidy.tree import ROOT

RUN_SECONDS_MAX = 120
FENCE = re.compile(
    r"^```(?P<language>\w+)(?: file=(?P<file>\S+))?[^\n]*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
GO_BRIDGE = ROOT / "bridges/go"
TYPESCRIPT_BRIDGE = ROOT / "bridges/typescript"
COMPILER_OPTIONS = {
    "target": "es2023",
    "module": "nodenext",
    "moduleResolution": "nodenext",
    "strict": True,
    "types": ["node"],
    "skipLibCheck": True,
}


@dataclass(frozen=True)
class Block:
    language: str
    file: str
    text: str


@dataclass(frozen=True)
class Command:
    typed: str
    expected: str


class SnippetError(AssertionError):
    """A snippet that does not do what its document says."""


def blocks(document: str) -> list[Block]:
    return [
        Block(found["language"], found["file"] or "", found["text"])
        for found in FENCE.finditer(document)
    ]


def commands(console: str) -> Iterator[Command]:
    """The commands of a console block, each with the output that the document shows."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        typed, _, expected = part.partition("\n")
        yield Command(typed, expected)


def matches(expected: str, printed: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(pattern, printed.strip(), flags=re.DOTALL) is not None


class Notebook:
    """The folder in which the blocks of one document stand and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, document: str) -> int:
        """Writes, builds and runs every block; answers how many commands were run."""
        found = blocks(document)
        for block in found:
            if block.file:
                target = self.folder / block.file
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text)
        self._build_go()
        self._build_typescript()
        count = 0
        for block in found:
            if block.language == "python" and not block.file:
                self._check(Command("python -", "…"), stdin=block.text)
                count += 1
            for command in commands(block.text) if block.language == "console" else ():
                self._check(command)
                count += 1
        typed = "\n".join(block.text for block in found if block.language == "console")
        for block in found:
            if block.language == "python" and block.file and block.file not in typed:
                raise SnippetError(f"no console block runs {block.file}")
        return count

    def _check(self, command: Command, *, stdin: str = "") -> None:
        printed = self._call(["bash", "-c", command.typed], stdin=stdin)
        if not matches(command.expected, printed):
            raise SnippetError(
                f"$ {command.typed}\nexpected:\n{command.expected}\nprinted:\n{printed}"
            )

    def _call(self, arguments: list[str], *, cwd: Path | None = None, stdin: str = "") -> str:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": "",
            "PYTHONWARNINGS": "error",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            arguments,
            cwd=cwd or self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
            check=False,
        )
        if done.returncode != 0:
            raise SnippetError(
                f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done.stdout

    def _build_go(self) -> None:
        """Every folder of Go files becomes a module that uses the bridge of this tree."""
        bridge = ""
        if folders := sorted({path.parent for path in self.folder.rglob("*.go")}):
            bridge = re.findall(r"^module (\S+)", (GO_BRIDGE / "go.mod").read_text(), re.MULTILINE)[
                0
            ]
        for folder in folders:
            (folder / "go.mod").write_text(
                f"module {folder.name}\n\ngo 1.26\n\nrequire {bridge} v0.0.0\n\n"
                f"replace {bridge} => {GO_BRIDGE}\n"
            )
            (folder / "go.sum").write_bytes((GO_BRIDGE / "go.sum").read_bytes())
            self._call(["go", "vet", "-mod=mod", "."], cwd=folder)
            self._call(["go", "build", "-mod=mod", "-o", folder.name, "."], cwd=folder)

    def _build_typescript(self) -> None:
        """TypeScript files see the built bridge of this tree as the package `perdure`."""
        files = sorted(str(path) for path in self.folder.rglob("*.ts"))
        if not files:
            return
        modules = self.folder / "node_modules"
        modules.mkdir()
        (modules / "perdure").symlink_to(TYPESCRIPT_BRIDGE)
        (modules / "@types").symlink_to(TYPESCRIPT_BRIDGE / "node_modules/@types")
        (self.folder / "package.json").write_text('{"type": "module"}')
        settings = {"compilerOptions": COMPILER_OPTIONS, "files": files}
        (self.folder / "tsconfig.json").write_text(json.dumps(settings))
        self._call([str(TYPESCRIPT_BRIDGE / "node_modules/.bin/tsc"), "--project", "."])
