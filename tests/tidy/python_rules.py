"""Measures of Python source, read from its syntax tree."""

import ast
from collections.abc import Iterator

from tests.tidy.tree import Finding, Tree

FUNCTION_LINES_MAX = 70
PUBLIC_METHODS_MAX = 20
INIT_ATTRIBUTES_MAX = 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: ast.Module) -> Iterator[Function]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def python_function_length(tree: Tree) -> Iterator[Finding]:
    """A function has at most 70 lines."""
    for path, module in tree.python():
        for function in functions(module):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > FUNCTION_LINES_MAX:
                message = f"{function.name} has {length} lines, {FUNCTION_LINES_MAX} at most"
                yield Finding(path, function.lineno, message)


def class_size(tree: Tree) -> Iterator[Finding]:
    """A class has at most 20 public methods."""
    for path, module in tree.python():
        for node in ast.walk(module):
            if not isinstance(node, ast.ClassDef):
                continue
            names = {
                item.name
                for item in node.body
                if isinstance(item, Function) and not item.name.startswith("_")
            }
            if len(names) > PUBLIC_METHODS_MAX:
                message = f"{node.name}: {len(names)} public methods, {PUBLIC_METHODS_MAX} at most"
                yield Finding(path, node.lineno, message)


def init_attributes(tree: Tree) -> Iterator[Finding]:
    """An `__init__` sets at most 12 attributes."""
    for path, module in tree.python():
        for function in functions(module):
            if function.name != "__init__":
                continue
            names = {
                node.attr
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            }
            if len(names) > INIT_ATTRIBUTES_MAX:
                message = f"sets {len(names)} attributes, {INIT_ATTRIBUTES_MAX} at most"
                yield Finding(path, function.lineno, message)


def package_front(tree: Tree) -> Iterator[Finding]:
    """An `__init__.py` is a table of contents: imports, names and words, no logic."""
    for path, module in tree.python():
        if not path.endswith("/__init__.py"):
            continue
        for node in module.body:
            if not _is_table_of_contents(node):
                yield Finding(path, node.lineno, "logic in a package's front")


def _is_table_of_contents(node: ast.stmt) -> bool:
    match node:
        case ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is None or not any(
                isinstance(part, ast.Call | ast.Lambda | ast.comprehension)
                for part in ast.walk(value)
            )
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=[]):
            return all(_is_table_of_contents(inner) for inner in body)
        case _:
            return False
