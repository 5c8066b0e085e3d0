"""PRD23: order. A set walks by hash or address, which differ from process to process.

asyncio's own sets are mended inside workflows: what `asyncio.wait` takes and gives, `TaskGroup`,
`as_completed` and `all_tasks` walk in the order of creation, and are not reported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._names import SET
from perdure.lint._reach import Code
from perdure.lint._source import Function

__all__ = ["RULES", "check"]

_SET_ORDER = Rule("PRD2301", "set-order", "A set has another order in every process.")
_ADDRESS = Rule("PRD2302", "address-order", "`id` and `hash` give other numbers in every process.")
RULES = (_SET_ORDER, _ADDRESS)

_SETS = frozenset({SET, "builtins.frozenset"})
_WALKING = frozenset({
    "builtins.dict", "builtins.enumerate", "builtins.filter", "builtins.iter", "builtins.list",
    "builtins.map", "builtins.repr", "builtins.reversed", "builtins.str", "builtins.tuple",
    "builtins.zip", "builtins.dict.fromkeys", "collections.OrderedDict", "collections.deque",
    "functools.reduce", "itertools.accumulate", "itertools.chain", "itertools.combinations",
    "itertools.cycle", "itertools.islice", "itertools.permutations", "itertools.product",
    "asyncio.gather",
})  # fmt: skip
"""What it gives, or does, has the order of what it walks."""
_ORDERLESS = frozenset({
    "builtins.all", "builtins.any", "builtins.frozenset", "builtins.len", "builtins.max",
    "builtins.min", "builtins.set", "builtins.sorted", "builtins.sum", "collections.Counter",
    "math.fsum", "asyncio.as_completed", "asyncio.wait",
})  # fmt: skip
_NUMBERS = frozenset({"builtins.hash", "builtins.id"})
_KEYED = frozenset({"builtins.max", "builtins.min", "builtins.sorted"})
_SORT = "walk `sorted(…)`, or keep the elements in a list or in the keys of a dict"
_KEY = "sort or choose by something that the value itself holds"
_SAMENESS = ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Is | ast.IsNot
_TABLE_METHODS = frozenset({"add", "discard", "get", "pop", "remove", "setdefault"})


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    yield from _sets(code, node)
    yield from _numbers(code, node)


def _sets(code: Code, node: ast.AST) -> Iterator[Finding]:
    match node:
        case ast.For(iter=walked) if _is_set(code, walked):
            if not _collects(node.body):
                yield _walked(code, walked)
        case ast.DictComp(generators=parts):
            yield from _comprehended(code, parts)
        case ast.ListComp(generators=parts) | ast.GeneratorExp(generators=parts):
            if _awaits(node) or not _is_put_in_order(code, node):
                yield from _comprehended(code, parts)
        case ast.SetComp(generators=parts):
            # The new set has no order to pass on, but the calls have.
            if _awaits(node):
                yield from _comprehended(code, parts)
        case ast.Call():
            yield from _called(code, node)
        case ast.Starred(value=walked, ctx=ast.Load()) if _is_set(code, walked):
            if not isinstance(code.source.parent(node), ast.Set):
                yield _walked(code, walked)
        case ast.Assign(
            targets=[ast.Tuple(elts=[_, _, *_]) | ast.List(elts=[_, _, *_])], value=walked
        ) if _is_set(code, walked):
            yield _walked(code, walked)
        case ast.FormattedValue(value=walked) if _is_set(code, walked):
            yield _walked(code, walked)
        case ast.YieldFrom(value=walked) if _is_set(code, walked):
            yield _walked(code, walked)
        case _:
            pass


def _called(code: Code, call: ast.Call) -> Iterator[Finding]:
    function = call.func
    if code.names.is_known(function, _WALKING):
        if not _is_put_in_order(code, call):
            yield from (_walked(code, each) for each in call.args if _is_set(code, each))
    elif isinstance(function, ast.Attribute):
        if function.attr == "pop" and not call.args and _is_set(code, function.value):
            text = ast.unparse(function.value)
            if _is_counted(code, call, text):
                return
            yield code.finding(
                call,
                _SET_ORDER.code,
                f"`{text}.pop()` takes another element in every process",
                f"take `min({text})`, or keep the elements in a list",
            )
        elif function.attr in {"join", "extend", "extendleft", "fromkeys", "writelines"}:
            yield from (_walked(code, each) for each in call.args if _is_set(code, each))


def _is_counted(code: Code, node: ast.AST, text: str) -> bool:
    """Whether a test around it looks at the length: the only element may be taken from a set."""
    return any(
        isinstance(above, ast.If | ast.IfExp) and f"len({text})" in ast.unparse(above.test)
        for above in code.source.parents(node)
    )


def _is_put_in_order(code: Code, walking: ast.expr) -> bool:
    """`sorted(list(names))`, `left = list(names)` with `left.sort()`: the order is gone again."""
    match code.source.parent(walking):
        case ast.Call(func=function):
            return code.names.is_known(function, _ORDERLESS)
        case (
            ast.Assign(targets=[ast.Name(id=name) as target])
            | ast.AnnAssign(target=ast.Name(id=name) as target)
        ):
            return any(_sorts(node, name) for node in ast.walk(code.source.scope(target)))
        case _:
            return False


def _sorts(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=sorted_name), attr="sort")):
            return sorted_name == name
        case _:
            return False


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Await) for each in ast.walk(node))


def _comprehended(code: Code, parts: list[ast.comprehension]) -> Iterator[Finding]:
    yield from (_walked(code, part.iter) for part in parts if _is_set(code, part.iter))


def _walked(code: Code, walked: ast.expr) -> Finding:
    text = ast.unparse(walked)
    return code.finding(
        walked,
        _SET_ORDER.code,
        f"`{text}` is a set, and walks in another order in every process",
        _SORT,
    )


def _is_set(code: Code, node: ast.expr) -> bool:
    return code.names.type_of(node) in _SETS


def _collects(body: list[ast.stmt]) -> bool:
    """Whether a loop does only what comes to the same in any order: it fills sets and counts."""
    return all(map(_is_orderless, body))


def _is_orderless(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Assert():
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="add" | "discard"), args=[value])):
            return not _awaits(value)
        case ast.AugAssign(op=ast.Add(), value=ast.Constant(value=int())):
            return True
        case ast.If(test=test, body=body, orelse=otherwise):
            return not _awaits(test) and _collects(body) and _collects(otherwise)
        case _:
            return False


def _numbers(code: Code, node: ast.AST) -> Iterator[Finding]:
    match node:
        case ast.Call(func=function, keywords=keywords):
            if code.names.is_known(function, _NUMBERS) and not _is_harmless(code, node):
                text = ast.unparse(node)
                yield code.finding(
                    node, _ADDRESS.code, f"`{text}` is another number in every process", _KEY
                )
            sorts = isinstance(function, ast.Attribute) and function.attr == "sort"
            if sorts or code.names.is_known(function, _KEYED):
                yield from (
                    code.finding(
                        each.value,
                        _ADDRESS.code,
                        f"`key={ast.unparse(each.value)}` orders by address or hash",
                        _KEY,
                    )
                    for each in keywords
                    if each.arg == "key" and code.names.is_known(each.value, _NUMBERS)
                )
        case _:
            pass


def _is_harmless(code: Code, call: ast.Call) -> bool:
    """Whether the number only tells things apart: compared, or the key of a table."""
    if len(call.args) == 1 and isinstance(call.args[0], ast.Constant):
        value = call.args[0].value
        if isinstance(value, int | float) and code.names.qualified(call.func) == "builtins.hash":
            return True
    return _tells_apart(code, call) or any(
        isinstance(each, Function) and each.name in {"__hash__", "__repr__"}
        for each in code.source.parents(call)
    )


def _tells_apart(code: Code, number: ast.expr) -> bool:
    """Whether a number, or a tuple that holds it, is only compared or looked up."""
    match code.source.parent(number):
        case ast.Tuple() as key:
            return _tells_apart(code, key)
        case ast.Compare(ops=operators):
            return all(isinstance(each, _SAMENESS) for each in operators)
        case ast.Subscript(slice=key):
            return key is number
        case ast.DictComp(key=key):
            return key is number
        case ast.SetComp() | ast.Set() | ast.Dict():
            return True
        case ast.Call(func=ast.Attribute(attr=method)):
            return method in _TABLE_METHODS
        case ast.Assign(targets=[ast.Name(id=name) as target]):
            return _is_only_a_key(code, code.source.scope(target), name)
        case _:
            return False


def _is_only_a_key(code: Code, scope: ast.AST, name: str) -> bool:
    read = (
        node
        for node in ast.walk(scope)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
    )
    return all(_tells_apart(code, node) for node in read)
