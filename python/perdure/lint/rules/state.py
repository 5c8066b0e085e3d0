"""PRD27: state that outlives a run. What one run or replay leaves behind, another one finds."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perdure.lint._finding import Finding, Rule
from perdure.lint._reach import Code
from perdure.lint._source import Binding, Function

__all__ = ["RULES", "check"]

_GLOBAL = Rule("PRD2701", "module-state", "All runs of the process share it, replays included.")
_DEFAULT = Rule("PRD2702", "mutable-default", "All calls share the default, in all runs.")
_CLASS = Rule("PRD2703", "class-state", "All runs of the process share what the class holds.")
RULES = (_GLOBAL, _DEFAULT, _CLASS)

_CHANGING = frozenset({
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem",
    "popleft", "remove", "reverse", "setdefault", "sort", "subtract", "update",
})  # fmt: skip
_CONTAINERS = frozenset({
    "builtins.bytearray", "builtins.dict", "builtins.list", "builtins.set", "collections.Counter",
    "collections.OrderedDict", "collections.defaultdict", "collections.deque",
})  # fmt: skip
_COUNTERS = frozenset({"itertools.count", "itertools.cycle", "builtins.iter"})
_OWN = "keep it in the workflow: a local variable, or an attribute set in `__init__`"
_MUTABLE = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp


def check(code: Code, node: ast.AST) -> Iterator[Finding]:
    """Judges one node of workflow code."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() if node is code.node:
            if not code.is_entry:
                yield from _defaults(code, node)
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            if code.source.is_global(name, node):
                yield _shared(code, node, name)
        case ast.Subscript(value=changed, ctx=ast.Store() | ast.Del()):
            yield from _changed(code, node, changed)
        case ast.AugAssign(target=ast.Attribute() as target):
            yield from _changed(code, node, target)
        case ast.Attribute(value=ast.Name() as owner, ctx=ast.Store() | ast.Del()):
            yield from _attribute(code, node, owner)
        case ast.Call(func=ast.Attribute(value=changed, attr=method)) if method in _CHANGING:
            yield from _changed(code, node, changed)
        case ast.Call(func=function, args=[ast.Name() as counter, *_]):
            if code.names.qualified(function) == "builtins.next":
                yield from _counted(code, node, counter)
        case _:
            pass


def _shared(code: Code, node: ast.AST, name: str) -> Finding:
    return code.finding(
        node,
        _GLOBAL.code,
        f"`{name}` belongs to the module: all runs of the process change it, replays included",
        _OWN,
    )


def _changed(code: Code, node: ast.AST, changed: ast.expr) -> Iterator[Finding]:
    """A container is changed in place: the module's, or one that the class holds."""
    match changed:
        case ast.Name(id=name):
            kept = _kept(code, changed)
            if kept is not None and _is_container(code, kept.value):
                yield _shared(code, node, name)
        case ast.Attribute(value=ast.Name() as owner, attr=attribute):
            holder = code.names.owner(owner)
            if holder is not None and _class_holds(code, holder, attribute):
                yield code.finding(
                    node,
                    _CLASS.code,
                    f"`{attribute}` belongs to the class {holder.name}: all runs share it",
                    f"set `self.{attribute}` in `__init__`",
                )
        case _:
            pass


def _kept(code: Code, name: ast.Name) -> Binding | None:
    """What the module itself binds the name to, where no function binds it."""
    found = code.source.bindings(name.id, name)
    module = [each for each in found if each.scope is code.source.tree and each.kind == "value"]
    return module[0] if module and len(module) == len(found) else None


def _is_container(code: Code, value: ast.expr | None) -> bool:
    if isinstance(value, _MUTABLE):
        return True
    return isinstance(value, ast.Call) and code.names.is_known(value.func, _CONTAINERS)


def _attribute(code: Code, node: ast.Attribute, owner: ast.Name) -> Iterator[Finding]:
    """`Class.attribute = …`, `module.attribute = …`, or one of an object that the module keeps."""
    found = code.source.bindings(owner.id, owner)
    if not found or any(each.scope is not code.source.tree for each in found):
        return
    if all(each.kind in {"class", "import", "value"} for each in found):
        yield _shared(code, node, ast.unparse(node))


def _counted(code: Code, node: ast.Call, counter: ast.Name) -> Iterator[Finding]:
    kept = _kept(code, counter)
    if kept is not None and isinstance(kept.value, ast.Call | ast.GeneratorExp):
        is_counter = isinstance(kept.value, ast.GeneratorExp) or code.names.is_known(
            kept.value.func, _COUNTERS
        )
        if is_counter:
            yield _shared(code, node, counter.id)


def _class_holds(code: Code, owner: ast.ClassDef, attribute: str) -> bool:
    """Whether the class's body makes the container, and no method makes the object's own."""
    holds = False
    for each in [owner, *code.names.bases(owner)]:
        for node in ast.walk(each):
            in_body = code.source.parent(node) is each
            match node:
                case ast.Assign(targets=targets, value=value):
                    names = [ast.unparse(target) for target in targets]
                    if f"self.{attribute}" in names:
                        return False
                    holds |= in_body and attribute in names and _is_container(code, value)
                case ast.AnnAssign(target=target, value=value):
                    if ast.unparse(target) == f"self.{attribute}" and value is not None:
                        return False
                    named = in_body and ast.unparse(target) == attribute
                    holds |= named and _is_container(code, value)
                case _:
                    pass
    return holds


def _defaults(code: Code, function: Function) -> Iterator[Finding]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    tail = positional[len(positional) - len(arguments.defaults) :]
    pairs: list[tuple[ast.arg, ast.expr | None]] = [
        *zip(tail, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for argument, default in pairs:
        if default is None or not _is_container(code, default):
            continue
        if any(_lets_out(node, argument) for node in ast.walk(function)):
            yield code.finding(
                default,
                _DEFAULT.code,
                f"the default of `{argument.arg}` is one object for all calls, in all runs",
                f"write `{argument.arg}=None`, and make it in the function",
            )


def _lets_out(node: ast.AST, argument: ast.arg) -> bool:
    """Whether the argument is changed here, or handed to whom may change it."""

    def is_it(value: ast.AST | None) -> bool:
        return isinstance(value, ast.Name) and value.id == argument.arg

    match node:
        case ast.Call(func=ast.Attribute(value=changed, attr=method)) if is_it(changed):
            return method in _CHANGING
        case ast.Subscript(value=changed, ctx=ast.Store() | ast.Del()):
            return is_it(changed)
        case ast.AugAssign(target=target):
            return is_it(target)
        case ast.Return(value=value):
            return is_it(value)
        case ast.Assign(targets=[ast.Attribute(), *_], value=value):
            return is_it(value)
        case _:
            return False
