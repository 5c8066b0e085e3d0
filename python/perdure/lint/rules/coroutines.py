"""PRD26: coroutines and their lifetime: never awaited, dropped, or not allowed to end."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from types import UnionType

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code, activity_of
from perdure.lint._source import Function

__all__ = ["RULES", "check"]

_UNAWAITED = Rule("PRD2601", "not-awaited", "A call that nobody awaits never happens.")
_DROPPED = Rule("PRD2602", "task-dropped", "Nobody waits for the task, nor hears of its error.")
_SWALLOWED = Rule("PRD2603", "eviction-swallowed", "What unwinds or cancels a run must pass.")
_REPLAYING = Rule("PRD2604", "logic-on-replay", "Replay must take the way that was recorded.")
RULES = (_UNAWAITED, _DROPPED, _SWALLOWED, _REPLAYING)

_COROUTINES = frozenset({
    "asyncio.open_connection", "asyncio.sleep", "asyncio.wait", "asyncio.wait_for",
    "perdure.workflow.execute_activity", "perdure.workflow.execute_local_activity",
    "perdure.workflow.sleep", "perdure.workflow.step", "perdure.workflow.wait_condition",
})  # fmt: skip
_TASKS = frozenset({
    "asyncio.AbstractEventLoop.create_task", "asyncio.create_task", "asyncio.ensure_future",
    "asyncio.gather", "asyncio.shield",
})  # fmt: skip
_EVERYTHING = frozenset({"builtins.BaseException", "perdure.errors.RunEvicted"})
_EVICTED = frozenset({"perdure.errors.RunEvicted"})
_IS_REPLAYING = frozenset({"perdure.workflow.unsafe.is_replaying"})
_SUPPRESS = frozenset({"contextlib.suppress"})
_WAITING = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom
_LEAVING = ast.Return | ast.Break | ast.Continue
_HIDING = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_LET_PASS = "catch `Exception`, or end the handler with `raise`"


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.Expr(value=ast.Call() as call):
            yield from _statement(code, call)
        case ast.Assign(targets=[ast.Name(id=name) as target], value=ast.Call() as call):
            yield from _assigned(code, target, name, call)
        case ast.Try():
            yield from _try(code, node)
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            yield from _suppressed(code, items, body)
        case ast.If(test=test, body=body, orelse=otherwise):
            if _asks_replaying(code, test) and _decides([*body, *otherwise]):
                yield _on_replay(code, test)
        case ast.IfExp(test=test) | ast.While(test=test):
            if _asks_replaying(code, test) and _decides([node]):
                yield _on_replay(code, test)
        case _:
            pass


def _statement(code: Code, call: ast.Call) -> Iterator[Finding]:
    text = ast.unparse(call.func)
    if _is_coroutine(code, call):
        yield _never_awaited(code, call, text)
    elif code.names.is_known(call.func, _TASKS):
        yield code.finding(
            call,
            _DROPPED.code,
            f"nobody keeps what `{text}` gives: the run may end before it, and its error is lost",
            "await it, or begin it in an `asyncio.TaskGroup`",
        )


def _assigned(code: Code, target: ast.Name, name: str, call: ast.Call) -> Iterator[Finding]:
    if name == "_":
        yield from _statement(code, call)
        return
    function = code.source.scope(target)
    if not isinstance(function, Function) or not _is_coroutine(code, call):
        return
    is_read = any(
        isinstance(each, ast.Name) and each.id == name and isinstance(each.ctx, ast.Load)
        for each in ast.walk(function)
    )
    if not is_read:
        yield _never_awaited(code, call, ast.unparse(call.func))


def _never_awaited(code: Code, call: ast.Call, text: str) -> Finding:
    return code.finding(
        call, _UNAWAITED.code, f"`{text}` is never awaited, so that it does nothing", "await it"
    )


def _is_coroutine(code: Code, call: ast.Call) -> bool:
    if code.names.is_known(call.func, _COROUTINES):
        return True
    if activity_of(call.func, code.names) is not None:
        return True
    named = code.names.definition(call.func)
    return isinstance(named, ast.AsyncFunctionDef)


def _try(code: Code, block: ast.Try) -> Iterator[Finding]:
    if not _any_own(block.body, _WAITING):
        # Nothing is thrown into code that does not wait.
        return
    for statement in _own(block.finalbody):
        if isinstance(statement, _LEAVING) and not _is_in_loop(code, statement, block):
            yield code.finding(
                statement,
                _SWALLOWED.code,
                "leaving a `finally` drops the exception on its way, `RunEvicted` among them",
                "leave after the `finally`",
            )
    for handler in block.handlers:
        raises = _any_own(handler.body, ast.Raise)
        if raises:
            if _catches(code, handler, _EVICTED) or handler.type is None:
                return
            continue
        if handler.type is None or _catches(code, handler, _EVERYTHING):
            caught = "a bare `except`" if handler.type is None else ast.unparse(handler.type)
            yield code.finding(
                handler,
                _SWALLOWED.code,
                f"{caught} without `raise` swallows `RunEvicted` and `CancelledError`",
                _LET_PASS,
            )


def _catches(code: Code, handler: ast.ExceptHandler, names: frozenset[str]) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(each is not None and code.names.is_known(each, names) for each in caught)


def _suppressed(code: Code, items: list[ast.withitem], body: list[ast.stmt]) -> Iterator[Finding]:
    for item in items:
        match item.context_expr:
            case ast.Call(func=function, args=caught) if code.names.is_known(function, _SUPPRESS):
                everything = any(code.names.is_known(each, _EVERYTHING) for each in caught)
                if everything and _any_own(body, _WAITING):
                    yield code.finding(
                        item.context_expr,
                        _SWALLOWED.code,
                        f"`{ast.unparse(item.context_expr)}` swallows `RunEvicted`",
                        "suppress `Exception`, or what you mean",
                    )
            case _:
                pass


def _asks_replaying(code: Code, test: ast.expr) -> bool:
    return any(
        isinstance(each, ast.Call) and code.names.is_known(each.func, _IS_REPLAYING)
        for each in ast.walk(test)
    )


def _decides(nodes: Sequence[ast.AST]) -> bool:
    """Whether a branch does what is recorded, or leaves before others do."""
    return _any_own(nodes, _WAITING) or _any_own(nodes, _LEAVING) or _any_own(nodes, ast.Raise)


def _on_replay(code: Code, test: ast.expr) -> Finding:
    return code.finding(
        test,
        _REPLAYING.code,
        "what the workflow does depends on whether it is being replayed",
        "use `is_replaying()` for observation alone: logs, metrics",
    )


def _own(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The nodes and what is in them, without functions that are only defined there."""
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _HIDING):
            waiting.extend(ast.iter_child_nodes(node))


def _any_own(nodes: Sequence[ast.AST], kinds: type | UnionType) -> bool:
    return any(isinstance(each, kinds) for each in _own(nodes))


def _is_in_loop(code: Code, statement: ast.AST, block: ast.Try) -> bool:
    """Whether `break` or `continue` is that of a loop inside the `finally`."""
    if isinstance(statement, ast.Return):
        return False
    for above in code.source.parents(statement):
        if above is block:
            return False
        if isinstance(above, ast.For | ast.AsyncFor | ast.While):
            return True
    return False
