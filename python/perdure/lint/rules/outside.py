"""PRD24: the world outside. Files, networks, processes and settings are for activities.

`print` is not reported: it prints again when a run is replayed, and decides nothing. Use
`workflow.logger`, which stays quiet on replay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code
from perdure.lint.rules._reaching import (
    DATABASE,
    ENVIRONMENT,
    EVENT_CALLS,
    FILE,
    FOREIGN,
    LOOP_METHODS,
    NETWORK,
    PROCESS,
    UNSEEN,
)

__all__ = ["RULES", "check"]

INPUT = "PRD2406"
RULES = (
    Rule(FILE, "file", "The file system is not part of the run."),
    Rule(NETWORK, "network", "The network is not part of the run."),
    Rule(PROCESS, "process", "Other processes and their signals are not part of the run."),
    Rule(DATABASE, "database", "A database is not part of the run."),
    Rule(ENVIRONMENT, "environment", "It differs from process to process."),
    Rule(INPUT, "input", "It blocks the worker and waits for a person."),
)

_INPUTS = frozenset({"builtins.input", "getpass.getpass"})
_VALUES = {
    "os.environ": ENVIRONMENT, "os.environb": ENVIRONMENT, "sys.argv": ENVIRONMENT,
    "sys.stdin": INPUT,
}  # fmt: skip
_WHAT = {
    FILE: ("reaches for the file system", "read_file(path: str) -> str"),
    NETWORK: ("uses the network", "fetch(url: str) -> str"),
    PROCESS: ("reaches for processes", "run_command(arguments: list[str]) -> str"),
    DATABASE: ("uses a database", "load_order(order_id: str) -> Order"),
}
_PASS = "pass it to the workflow as an argument, or ask in an activity"
_LOOP = "asyncio.AbstractEventLoop."


def _by_name(*tables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: code for table in tables for code, names in table.items() for name in names.split()
    }


_CALLS = {
    **_by_name(UNSEEN, FOREIGN),
    **{name: code for code, names in EVENT_CALLS.values() for name in names.split()},
    **{f"{_LOOP}{name}": code for name, code in _by_name(LOOP_METHODS).items()},
}
# Methods of an object that connects: `client.get(…)` of a client that the module keeps.
_CLIENTS = tuple(f"{name}." for name in _by_name(FOREIGN) if name.rpartition(".")[2][:1].isupper())


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.Call(func=function):
            yield from _call(code, node, function)
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            name = code.names.qualified(node)
            if name in _VALUES:
                yield _outside(code, node, _VALUES[name], ast.unparse(node))
        case _:
            pass


def _call(code: Code, call: ast.Call, function: ast.expr) -> Iterator[Finding]:
    name, text = code.names.qualified(function), f"`{ast.unparse(function)}(…)`"
    if name in _INPUTS:
        yield _outside(code, call, INPUT, text)
    elif name.startswith(_CLIENTS):
        yield _outside(code, call, NETWORK, text)
    elif (found := _CALLS.get(name)) in _WHAT or found == ENVIRONMENT:
        yield _outside(code, call, found, text)


def _outside(code: Code, node: ast.expr, rule: str, text: str) -> Finding:
    text = text if text.startswith("`") else f"`{text}`"
    if rule == ENVIRONMENT:
        return code.finding(node, rule, f"{text} differs from process to process", _PASS)
    if rule == INPUT:
        message = f"{text} blocks the worker and waits for a person"
        return code.finding(node, rule, message, "send the workflow a signal")
    what, activity = _WHAT[rule]
    return code.finding(
        node,
        rule,
        f"{text} {what}",
        f"write an activity, `@activity.defn def {activity}`, and await it",
    )
