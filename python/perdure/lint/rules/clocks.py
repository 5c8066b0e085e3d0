"""PRD21: clocks. Inside a workflow the time is that of the event being handled.

`time.time()` and its kin answer from the run, as long as they are called through the module:
they are written in C, so that a name imported before the first worker still reads the machine.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code

__all__ = ["RULES", "SUBSTITUTED", "WALL", "check"]

_WALL = Rule("PRD2101", "wall-clock", "It reads the machine's clock, not the run's.")
_BY_NAME = Rule(
    "PRD2102", "clock-by-name", "Taken out of `time` by name, the function reads the machine."
)
_ZONE = Rule("PRD2103", "local-time-zone", "It depends on the time zone of the machine.")
RULES = (_WALL, _BY_NAME, _ZONE)

SUBSTITUTED = frozenset(
    f"time.{name}{suffix}"
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time")
    for suffix in ("", "_ns")
)
"""Called through the module, these answer from the run."""
WALL = frozenset({
    "datetime.datetime.now", "datetime.datetime.utcnow", "time.clock_gettime",
    "time.clock_gettime_ns", "os.times",
})  # fmt: skip
_FOREIGN_WALL = frozenset({
    "arrow.now", "arrow.utcnow", "django.utils.timezone.now", "pandas.Timestamp.now",
    "pandas.Timestamp.today", "pandas.Timestamp.utcnow", "pendulum.now", "pendulum.today",
    "whenever.Instant.now",
})  # fmt: skip
_WITHOUT_TIME = {
    "time.asctime": 0, "time.ctime": 0, "time.gmtime": 0, "time.localtime": 0, "time.strftime": 1,
}  # fmt: skip
"""These read the clock where no time is given: the number of arguments beside the time."""
_ZONED = frozenset({
    "datetime.date.fromtimestamp", "datetime.date.today", "datetime.datetime.today", "time.ctime",
    "time.localtime", "time.mktime",
})  # fmt: skip
_ZONE_NAMES = frozenset({"time.altzone", "time.daylight", "time.timezone", "time.tzname"})
_NOW = "write `workflow.now()`: the run's time in UTC"
_IN_ZONE = 'name a zone: `workflow.now().astimezone(ZoneInfo("…"))`'


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.Call(func=function):
            yield from _call(code, node, function)
        case ast.keyword(arg="default_factory" | "factory", value=value):
            yield from _factory(code, value)
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            if code.names.is_known(node, _ZONE_NAMES):
                text = ast.unparse(node)
                yield code.finding(
                    node, _ZONE.code, f"`{text}` is the time zone of the machine", _IN_ZONE
                )
        case _:
            pass


def _call(code: Code, call: ast.Call, function: ast.expr) -> Iterator[Finding]:
    text = ast.unparse(function)
    if (
        isinstance(function, ast.Attribute)
        and function.attr == "astimezone"
        and not call.args
        and not call.keywords
    ):
        yield code.finding(
            call, _ZONE.code, "`astimezone()` without a zone takes the machine's", _IN_ZONE
        )
        return
    found = code.names.resolve(function)
    if found is None:
        return
    name, given = found.qualified, len(call.args) + len(call.keywords)
    if name in WALL or name in _FOREIGN_WALL or given <= _WITHOUT_TIME.get(name, -1):
        yield code.finding(call, _WALL.code, f"`{text}()` reads the machine's clock", _NOW)
    elif name in _ZONED or (name == "datetime.datetime.fromtimestamp" and given < 2):
        yield code.finding(
            call, _ZONE.code, f"`{text}()` depends on the time zone of the machine", _IN_ZONE
        )
    elif name in SUBSTITUTED and found.by_name:
        yield _taken(code, call, text, name)


def _factory(code: Code, value: ast.expr) -> Iterator[Finding]:
    """A default factory keeps the function that it was given when the class was made."""
    name, text = code.names.qualified(value), ast.unparse(value)
    if name in WALL or name in _FOREIGN_WALL:
        yield code.finding(value, _WALL.code, f"`{text}` reads the machine's clock", _NOW)
    elif name in SUBSTITUTED:
        yield _taken(code, value, text, name)


def _taken(code: Code, node: ast.expr, text: str, name: str) -> Finding:
    return code.finding(
        node,
        _BY_NAME.code,
        f"`{text}` was taken out of `time` at import, so that it reads the machine's clock",
        f"call `{name}()` through the module, or `workflow.now()`",
    )
