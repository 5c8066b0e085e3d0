"""PRD25: what holds the loop, and what leaves it: sleeping, threads, loops in loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code

__all__ = ["LOOP_METHODS", "RULES", "check"]

_SLEEP = Rule("PRD2501", "blocking-sleep", "It blocks every run of the worker.")
_THREAD = Rule("PRD2502", "thread", "Threads and processes run in an order that nobody records.")
_NESTED = Rule("PRD2503", "nested-loop", "A workflow runs on a loop already, its own.")
_ENDLESS = Rule("PRD2504", "endless-loop", "The loop never awaits, so that nothing else runs.")
RULES = (_SLEEP, _THREAD, _NESTED, _ENDLESS)

_SLEEPS = frozenset({"time.sleep", "gevent.sleep", "eventlet.sleep"})
_THREADS = frozenset({
    "_thread.start_new_thread", "anyio.to_thread.run_sync", "asgiref.sync.sync_to_async",
    "asyncio.to_thread", "concurrent.futures.ProcessPoolExecutor",
    "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.process.ProcessPoolExecutor",
    "concurrent.futures.thread.ThreadPoolExecutor", "multiprocessing.Manager",
    "multiprocessing.Pool", "multiprocessing.Process", "multiprocessing.pool.Pool",
    "multiprocessing.pool.ThreadPool", "threading.Thread", "threading.Timer",
})  # fmt: skip
_LOOPS = frozenset({
    "anyio.run", "asgiref.sync.async_to_sync", "asyncio.Runner", "asyncio.new_event_loop",
    "asyncio.run", "asyncio.run_coroutine_threadsafe", "trio.run", "uvloop.new_event_loop",
    "uvloop.run",
})  # fmt: skip
_WHAT_METHODS_DO: dict[str, tuple[Rule, tuple[str, ...]]] = {
    "uses a thread or a process": (
        _THREAD,
        ("run_in_executor", "set_default_executor", "shutdown_default_executor"),
    ),
    "runs a loop inside the loop": (
        _NESTED,
        ("run_forever", "run_until_complete", "set_debug", "set_task_factory", "stop", "close"),
    ),
}
LOOP_METHODS = {
    method: rule.code for rule, methods in _WHAT_METHODS_DO.values() for method in methods
}
"""Methods of the running loop that are refused, with the rule that says so."""
_LOOP = "asyncio.AbstractEventLoop."
_WAITING = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield | ast.YieldFrom
_LEAVING = ast.Break | ast.Return | ast.Raise
_HIDING = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
_ACTIVITY = "make the function an activity (a plain `def` runs in a thread) and await that"
_AWAIT = "await the coroutine instead"


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.Call(func=function):
            yield from _call(code, node, code.names.qualified(function), ast.unparse(function))
        case ast.While():
            yield from _loop(code, node)
        case _:
            pass


def _call(code: Code, call: ast.Call, name: str, text: str) -> Iterator[Finding]:
    if name in _SLEEPS:
        yield code.finding(
            call,
            _SLEEP.code,
            f"`{text}` blocks every run of the worker",
            "write `await asyncio.sleep(…)`: a durable timer",
        )
    elif name in _THREADS:
        yield code.finding(call, _THREAD.code, f"`{text}` uses a thread or a process", _ACTIVITY)
    elif name in _LOOPS:
        yield code.finding(call, _NESTED.code, f"`{text}` is a loop inside the loop", _AWAIT)
    elif name.startswith(_LOOP):
        method = name.removeprefix(_LOOP)
        for what, (rule, methods) in _WHAT_METHODS_DO.items():
            if method in methods:
                fix = _ACTIVITY if rule is _THREAD else _AWAIT
                yield code.finding(call, rule.code, f"`{text}` {what}", fix)


def _loop(code: Code, loop: ast.While) -> Iterator[Finding]:
    endless = isinstance(loop.test, ast.Constant) and bool(loop.test.value)
    idle = all(isinstance(each, ast.Pass | ast.Continue) or _is_dots(each) for each in loop.body)
    if not endless and not idle:
        return
    inside = list(_own(loop))
    if any(isinstance(each, _WAITING) or _awaits(each) for each in inside):
        return
    if endless and (
        any(isinstance(each, _LEAVING) for each in inside) or _is_left_by_error(code, loop)
    ):
        return
    if not endless and any(isinstance(each, ast.Call | ast.NamedExpr) for each in inside):
        # A condition that is called may change by itself: `while queue.pop(): pass`.
        return
    yield code.finding(
        loop,
        _ENDLESS.code,
        "this loop never awaits: nothing that it waits for can happen meanwhile",
        "write `await workflow.wait_condition(lambda: …)`, or await in the loop",
    )


def _own(loop: ast.While) -> Iterator[ast.AST]:
    """The nodes of the loop, without functions that are only defined in it."""
    waiting: list[ast.AST] = [loop.test, *loop.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _HIDING):
            waiting.extend(ast.iter_child_nodes(node))


def _awaits(node: ast.AST) -> bool:
    return isinstance(node, ast.comprehension) and bool(node.is_async)


def _is_dots(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_left_by_error(code: Code, loop: ast.While) -> bool:
    """Whether it stands in a `try` or `suppress`: what it calls ends it, as in `get_nowait()`."""
    for above in code.source.parents(loop):
        if isinstance(above, ast.Try | ast.TryStar) and above.handlers:
            return True
        if isinstance(above, ast.With):
            return True
        if isinstance(above, _HIDING):
            return False
    return False
