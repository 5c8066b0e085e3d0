"""One source file: its tree, what each name in it is bound to, and its `noqa` comments."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Binding", "Function", "Source"]

Function = ast.FunctionDef | ast.AsyncFunctionDef
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_CODES = r"[A-Za-z]+\d+(?:[\s,]+[A-Za-z]+\d+)*"
_NOQA = re.compile(rf"#\s*noqa(?:\s*:\s*(?P<codes>{_CODES})|(?!\s*:))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Binding:
    """One way in which a name gets its value."""

    kind: Literal["import", "value", "argument", "function", "class", "other"]
    node: ast.AST
    """The import, assignment, argument or definition."""
    scope: ast.AST
    qualified: str = ""
    """For an import, the dotted name that it brings."""
    by_name: bool = False
    """Whether it was taken out of its module: `from time import time`."""
    value: ast.expr | None = None
    annotation: ast.expr | None = None


class Source:
    """A parsed file."""

    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.tree = ast.parse(text, path)
        self.silenced = _silenced(text)
        self._lines = text.split("\n")
        self._parents: dict[ast.AST, ast.AST] = {}
        self._scopes: dict[ast.AST, dict[str, list[Binding]]] = {}
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                self._parents[child] = node
        self._globals: dict[ast.AST, set[str]] = {}
        nodes = list(ast.walk(self.tree))
        for node in nodes:
            if isinstance(node, ast.Global):
                self._globals.setdefault(self.scope(node), set()).update(node.names)
        for node in nodes:
            self._bind(node)

    def parent(self, node: ast.AST) -> ast.AST | None:
        """What the node stands in."""
        return self._parents.get(node)

    def parents(self, node: ast.AST) -> Iterator[ast.AST]:
        """What the node stands in, from the inside out."""
        above = self._parents.get(node)
        while above is not None:
            yield above
            above = self._parents.get(above)

    def scope(self, node: ast.AST) -> ast.AST:
        """The scope whose names the node reads first."""
        return next(self._scopes_around(node), self.tree)

    def bindings(self, name: str, at: ast.AST) -> list[Binding]:
        """What binds the name as it is read at that place; nothing for a builtin."""
        inside_function = False
        for scope in self._scopes_around(at):
            if isinstance(scope, ast.ClassDef) and inside_function:
                continue
            found = self._scopes.get(scope, {}).get(name)
            if found:
                return found
            inside_function = inside_function or isinstance(scope, Function | ast.Lambda)
        return []

    def column(self, line: int, offset: int) -> int:
        """The column, from 1 on, in characters: the parser counts bytes."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        return len(text.encode()[:offset].decode(errors="replace")) + 1

    def is_global(self, name: str, at: ast.AST) -> bool:
        """Whether a `global` statement around the place makes the name the module's."""
        return name in self._globals.get(self.scope(at), ())

    def is_silenced(self, code: str, *lines: int) -> bool:
        """Whether a comment on one of the lines silences the code."""
        for line in lines:
            codes = self.silenced.get(line)
            if codes is not None and (not codes or code in codes):
                return True
        return False

    def _scopes_around(self, node: ast.AST) -> Iterator[ast.AST]:
        child = node
        for above in self.parents(node):
            match above:
                case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
                    # Decorators and defaults are read outside.
                    if any(child is each for each in body):
                        yield above
                case ast.Lambda(body=expression):
                    if child is expression:
                        yield above
                case ast.ClassDef(body=body):
                    if any(child is each for each in body):
                        yield above
                case _:
                    if isinstance(above, ast.Module | _Comprehension):
                        yield above
            child = above

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    whole = alias.name if alias.asname else alias.name.split(".", 1)[0]
                    self._add(alias.asname or whole, node, "import", qualified=whole)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = f"{'.' * level}{module or ''}"
                for alias in names:
                    self._add(
                        alias.asname or alias.name,
                        node,
                        "import",
                        qualified=f"{base}.{alias.name}",
                        by_name=True,
                    )
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                self._add(name, node, "function")
                self._bind_arguments(node)
            case ast.Lambda():
                self._bind_arguments(node)
            case ast.ClassDef(name=name):
                self._add(name, node, "class")
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                self._bind_target(name, node)
            case ast.ExceptHandler(name=str(name)):
                self._add(name, node, "other")
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                self._add(name, node, "other")
            case _:
                pass

    def _bind_target(self, name: str, node: ast.Name) -> None:
        match self._parents[node]:
            case ast.Assign(value=value):
                self._add(name, node, "value", value=value)
            case ast.NamedExpr(value=value):
                self._add(name, node, "value", value=value)
            case ast.AnnAssign(value=value, annotation=annotation):
                self._add(name, node, "value", value=value, annotation=annotation)
            case ast.AugAssign():
                # It changes what is bound; the kind of thing stays.
                self._scopes.setdefault(self.scope(node), {}).setdefault(name, [])
            case _:
                self._add(name, node, "other")

    def _bind_arguments(self, node: Function | ast.Lambda) -> None:
        arguments = node.args
        everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in everything:
            self._add(
                argument.arg, argument, "argument", scope=node, annotation=argument.annotation
            )
        for several in (arguments.vararg, arguments.kwarg):
            if several is not None:
                self._add(several.arg, several, "other", scope=node)

    def _add(
        self,
        name: str,
        node: ast.AST,
        kind: Literal["import", "value", "argument", "function", "class", "other"],
        *,
        scope: ast.AST | None = None,
        qualified: str = "",
        by_name: bool = False,
        value: ast.expr | None = None,
        annotation: ast.expr | None = None,
    ) -> None:
        where = self.scope(node) if scope is None else scope
        if scope is None and name in self._globals.get(where, ()):
            where = self.tree
        binding = Binding(kind, node, where, qualified, by_name, value, annotation)
        self._scopes.setdefault(where, {}).setdefault(name, []).append(binding)


def _silenced(text: str) -> dict[int, frozenset[str]]:
    """The codes that a line's comment silences; an empty set means all of them."""
    silenced: dict[int, frozenset[str]] = {}
    if "noqa" not in text.lower():
        return silenced
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and (found := _NOQA.search(token.string)):
            codes = re.findall(r"[A-Za-z]+\d+", found["codes"] or "")
            silenced[token.start[0]] = frozenset(code.upper() for code in codes)
    return silenced
