"""The `patched()` edit that would let code and history both have their way, as a unified diff."""

from __future__ import annotations

import ast
import difflib
import linecache
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perdure.testing._recorded_call import called_names, recorded_call

if TYPE_CHECKING:
    from perdure.testing._mismatch import Mismatch, ReplayCommand
    from perdure.testing._source_lines import CallSite

__all__ = ["Call", "patch_edit"]

Call = tuple[str, str]
"""The kind of a command and the name of what it calls."""

_INDENT = "    "
_AS_RECORDED = "  # as recorded"


@dataclass(frozen=True, slots=True)
class _Statement:
    """The statement of today's code that the edit is about."""

    node: ast.stmt
    source: str

    @property
    def lines(self) -> list[str]:
        lines = self.source.splitlines()
        return lines[self.node.lineno - 1 : self.node.end_lineno]

    @property
    def indent(self) -> str:
        return " " * self.node.col_offset


def patch_edit(mismatch: Mismatch, record: dict[str, Any], later: Iterable[Call]) -> str:
    """The edit; empty where the lines that it would change are not known.

    Args:
        mismatch: What differs.
        record: The record of the history, as exported; empty when history has none there.
        later: The calls that follow it in history.
    """
    site = mismatch.waits_at if mismatch.asked is None else mismatch.asked.site
    statement = None if site is None else _statement_at(site)
    if site is None or statement is None:
        return ""
    edited = _edited(mismatch, record, statement, later)
    if edited is None:
        return ""
    before = statement.source.splitlines()
    first, last = statement.node.lineno - 1, statement.node.end_lineno
    after = [*before[:first], *(statement.indent + line for line in edited), *before[last:]]
    diff = difflib.unified_diff(before, after, site.file, site.file, n=1, lineterm="")
    return "\n".join(diff)


def _edited(
    mismatch: Mismatch,
    record: dict[str, Any],
    statement: _Statement,
    later: Iterable[Call],
) -> list[str] | None:
    """What stands in the statement's place, not indented."""
    now = textwrap.dedent("\n".join(statement.lines)).splitlines()
    recorded, asked = mismatch.recorded, mismatch.asked
    if recorded is None:
        return [f"if {_question(statement, asked)}:", *_indented(now)]
    if recorded.kind == "record_patch":
        # The new branch alone is left, and there are runs that recorded that they took it.
        return [f'workflow.deprecate_patch("{recorded.name}")', *now]
    site = recorded.site
    line = "" if site is None or site.source is None else site.source
    old = recorded_call(record, _function_around(statement), line)
    if old is None:
        return None
    if asked is None or (asked.kind, asked.name) in later:
        question = _question(statement, recorded, "without ")
        return [f"if not {question}:", *_indented([old + _AS_RECORDED]), *now]
    if recorded.name and _is_called_after(statement, recorded.name):
        otherwise = _without(statement.node, asked.name or asked.kind)
    else:
        otherwise = _in_place_of(statement.node, old) + _AS_RECORDED
    branch = ["else:", *_indented([otherwise])] if otherwise else []
    return [f"if {_question(statement, asked)}:", *_indented(now), *branch]


def _is_called_after(statement: _Statement, name: str) -> bool:
    """Whether the lines that follow still make a call of that name: then a step came in before."""
    return any(
        isinstance(node, ast.Call)
        and node.lineno > (statement.node.end_lineno or 0)
        and name in called_names(node)
        for node in ast.walk(_function_around(statement))
    )


def _function_around(statement: _Statement) -> ast.AST:
    line = statement.node.lineno
    around = [
        node
        for node in ast.walk(ast.parse(statement.source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(around, key=lambda each: each.lineno, default=ast.Pass())


def _without(statement: ast.stmt, what: str) -> str:
    """What the old branch has in place of a statement that came in; empty for nothing."""
    match statement:
        case ast.Expr():
            return ""
        case ast.Assign(targets=[target]):
            return f"{ast.unparse(target)} = ...  # as before, without {what}"
        case _:
            return f"...  # as before, without {what}"


def _in_place_of(statement: ast.stmt, call: str) -> str:
    """The recorded call in the form of today's statement."""
    match statement:
        case ast.Assign(targets=[target], value=ast.Await()):
            return f"{ast.unparse(target)} = {call}"
        case ast.Return(value=ast.Await()):
            return f"return {call}"
        case _:
            return call


def _question(statement: _Statement, call: ReplayCommand | None, verb: str = "") -> str:
    """The question for a patch whose name says which call came in, or went."""
    function = getattr(_function_around(statement), "name", "")
    called = "" if call is None else call.name or call.kind
    if call is not None and call.kind == "cancel_external":
        # Its name is the id of some run, which is another one the next time.
        called = call.kind
    name = re.sub(r"[^a-z0-9]+", "-", f"{function} {verb}{called}".lower()).strip("-")
    return f'workflow.patched("{name}")'


def _indented(lines: Sequence[str]) -> list[str]:
    return [_INDENT + line if line else line for line in lines]


def _statement_at(site: CallSite) -> _Statement | None:
    source = "".join(linecache.getlines(site.file))
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    around = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.stmt) and node.lineno <= site.line <= (node.end_lineno or 0)
    ]
    # The innermost begins last.
    node = max(around, key=lambda each: (each.lineno, each.col_offset), default=None)
    return None if node is None else _Statement(node, source)
