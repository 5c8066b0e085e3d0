"""A name is made of whole words, and means the same in every language."""

import ast
import re
from collections.abc import Iterator

from tests.tidy.tree import Finding, Tree

SHORTENED = {
    "addr": "address",
    "btn": "button",
    "buf": "buffer",
    "cb": "callback",
    "cfg": "config",
    "cmd": "command",
    "cnt": "count",
    "conn": "connection",
    "ctx": "context",
    "cur": "current",
    "desc": "description",
    "evt": "event",
    "idx": "index",
    "mgr": "manager",
    "msg": "message",
    "obj": "the noun",
    "proc": "process",
    "req": "request",
    "resp": "response",
    "ret": "result",
    "retval": "result",
    "tmp": "temporary",
    "val": "value",
    "wf": "workflow",
}
RUST_NAME = re.compile(r"\blet (?:mut )?(\w+)|\bfn (\w+)|\b(?:mut )?([a-z]\w*): (?=[&\w(\[<])")
TYPESCRIPT_NAME = re.compile(r"\b(?:const|let|function) (\w+)")


def whole_words(tree: Tree) -> Iterator[Finding]:
    """A name is a whole word."""
    for path, module in tree.python():
        for number, name in _python_names(module):
            yield from _shortened(path, number, name)
    for suffixes, pattern in (((".rs",), RUST_NAME), ((".ts", ".mts", ".js"), TYPESCRIPT_NAME)):
        for path in tree.paths(*suffixes):
            for number, line in enumerate(tree.lines(path), start=1):
                code = line.split("//", 1)[0]
                for found in pattern.finditer(code):
                    yield from _shortened(path, number, next(filter(None, found.groups())))


def _python_names(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case _:
                pass


def _shortened(path: str, line: int, name: str) -> Iterator[Finding]:
    # `tmp_path` and `tmp_path_factory` are pytest's words.
    if name.startswith("tmp_path"):
        return
    for word in re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_"):
        if word in SHORTENED:
            yield Finding(path, line, f"{name}: write {SHORTENED[word]} for {word}")
