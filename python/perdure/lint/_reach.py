"""What of a file is workflow code: the workflows, and the functions and classes they use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from perdure.lint._finding import Finding
from perdure.lint._names import Names
from perdure.lint._source import Function, Source

__all__ = ["Code", "activity_of", "is_activity", "reached"]

_DEFINITION = "perdure.workflow.defn"
_UNGUARDED = "perdure.workflow.unsafe.unguarded"
_ACTIVITY = "perdure.activity.defn"
_CONSTRUCTORS = ("__new__", "__init__", "__post_init__")
_ENTERED = ("__enter__", "__exit__", "__aenter__", "__aexit__")
_LOCALLY = frozenset(
    {
        "perdure.workflow.execute_local_activity",
        "perdure.workflow.start_local_activity",
        "perdure.workflow.step",
    }
)
_BY_REFERENCE = _LOCALLY | {"perdure.workflow.execute_activity", "perdure.workflow.start_activity"}


@dataclass(frozen=True, slots=True)
class Code:
    """One function of workflow code, or the body of a class whose objects it makes."""

    source: Source
    names: Names
    node: Function | ast.ClassDef
    workflow: str
    """The name of a workflow that reaches it."""
    is_entry: bool = False
    """Whether it is the workflow itself, called with arguments of its own."""

    def walk(self) -> Iterator[ast.AST]:
        """The function, then what it runs, in the order of the text.

        Left out are annotations, activities, steps, and what `unguarded` wraps.
        """
        yield self.node
        waiting = list(reversed(self._run_by(self.node)))
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(self._run_by(node)))

    def finding(self, node: ast.AST, code: str, message: str, fix: str) -> Finding:
        """A finding at the node."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        if isinstance(node, ast.stmt | ast.ExceptHandler):
            # A block is marked at its head.
            end_line, end_column = line, column + 1
        else:
            end_line = getattr(node, "end_lineno", None) or line
            end_column = getattr(node, "end_col_offset", None) or column + 1
        return Finding(
            self.source.path,
            line,
            self.source.column(line, column),
            end_line,
            self.source.column(end_line, end_column),
            code,
            message,
            fix,
            self.name,
            self.workflow,
        )

    @property
    def name(self) -> str:
        """The function's name, behind that of its class."""
        owner = self.source.parent(self.node)
        return (
            f"{owner.name}.{self.node.name}"
            if isinstance(owner, ast.ClassDef)
            else (self.node.name)
        )

    def _run_by(self, node: ast.AST) -> list[ast.AST]:
        match node:
            case ast.ClassDef():
                return self._factories(node) if node is self.node else []
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                if node is self.node:
                    return list(node.body)
                if is_activity(node, self.names) or self._is_step(node):
                    return []
                return [*_defaults(node.args), *node.body]
            case ast.Call(func=function, args=[ast.Lambda(), *others], keywords=keywords) if (
                self.names.is_known(function, _LOCALLY)
            ):
                return [function, *others, *keywords]
            case ast.Lambda(args=arguments, body=body):
                return [*_defaults(arguments), body]
            case ast.AnnAssign(target=target, value=value):
                return [target] if value is None else [target, value]
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for at, item in enumerate(items):
                    if self._is_unguarded(item.context_expr):
                        # What is entered after it is wrapped as well.
                        return list(items[:at])
                return [*items, *body]
            case ast.If(test=test, orelse=otherwise):
                if self.names.qualified(test) == "typing.TYPE_CHECKING":
                    return list(otherwise)
                return list(ast.iter_child_nodes(node))
            case _:
                return list(ast.iter_child_nodes(node))

    def _is_unguarded(self, expression: ast.expr) -> bool:
        return isinstance(expression, ast.Call) and (
            self.names.qualified(expression.func) == _UNGUARDED
        )

    def _is_step(self, inner: Function) -> bool:
        """Whether a function within this one only ever runs beside the workflow."""

        def is_passed_on(name: ast.Name) -> bool:
            call = self.source.parent(name)
            return (
                isinstance(call, ast.Call)
                and call.args[:1] == [name]
                and self.names.is_known(call.func, _LOCALLY)
            )

        uses = [
            each
            for each in ast.walk(self.node)
            if isinstance(each, ast.Name)
            and each.id == inner.name
            and isinstance(each.ctx, ast.Load)
        ]
        return bool(uses) and all(map(is_passed_on, uses))

    def _factories(self, owner: ast.ClassDef) -> list[ast.AST]:
        """What runs when an object is made: the default factories of a dataclass."""
        return [
            keyword
            for statement in owner.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call)
            for keyword in statement.value.keywords
            if keyword.arg in {"default_factory", "factory"}
        ]


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)]


def is_activity(node: Function, names: Names) -> bool:
    """Whether a decorator makes it an activity, here or of a service."""
    for decorator in node.decorator_list:
        mark = decorator.func if isinstance(decorator, ast.Call) else decorator
        if names.qualified(mark) == _ACTIVITY:
            return True
        if isinstance(mark, ast.Attribute) and mark.attr == "activity":
            return True
    return False


def activity_of(function: ast.expr, names: Names) -> Function | None:
    """The activity that a call's function names, with options of its own or without."""
    if isinstance(function, ast.Call) and isinstance(function.func, ast.Attribute):
        if function.func.attr != "options":
            return None
        function = function.func.value
    named = names.definition(function)
    return named if isinstance(named, Function) and is_activity(named, names) else None


def reached(source: Source) -> list[Code]:
    """The file's workflow code, workflow by workflow."""
    names = Names(source)
    known: dict[ast.AST, Code] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, Function | ast.ClassDef) and (name := _workflow_name(node, names)):
            _follow([*_entries(node, name, source, names)], known)
    return list(known.values())


def _workflow_name(node: Function | ast.ClassDef, names: Names) -> str:
    for decorator in node.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        if names.qualified(decorator if call is None else call.func) != _DEFINITION:
            continue
        for keyword in [] if call is None else call.keywords:
            match keyword:
                case ast.keyword(arg="name", value=ast.Constant(value=str(name))):
                    return name
                case _:
                    pass
        return node.name
    return ""


def _entries(
    node: Function | ast.ClassDef, workflow: str, source: Source, names: Names
) -> Iterator[Code]:
    if isinstance(node, Function):
        yield Code(source, names, node, workflow, is_entry=True)
        return
    for owner in [node, *names.bases(node)]:
        yield Code(source, names, owner, workflow)
        for method in owner.body:
            if isinstance(method, Function) and not is_activity(method, names):
                marks = {names.qualified(each) for each in method.decorator_list}
                yield Code(source, names, method, workflow, "perdure.workflow.run" in marks)


def _follow(waiting: list[Code], known: dict[ast.AST, Code]) -> None:
    while waiting:
        code = waiting.pop(0)
        if code.node in known:
            continue
        known[code.node] = code
        for node in code.walk():
            waiting.extend(
                Code(code.source, code.names, target, code.workflow)
                for target in _used(code, node)
                if target not in known
            )


def _used(code: Code, node: ast.AST) -> Iterator[Function | ast.ClassDef]:
    """Functions and classes of the file that a node of workflow code runs."""
    names = code.names
    match node:
        case ast.Call(func=function):
            named = names.definition(function)
            if isinstance(named, ast.ClassDef):
                yield from _made(named, names)
        case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
            named = names.definition(node)
            if isinstance(named, Function) and _runs(code, node, named):
                yield named
        case ast.withitem(context_expr=expression):
            owner = names.owner(expression)
            if owner is not None:
                yield from _methods(owner, _ENTERED, names)
        case _:
            pass


def _made(named: ast.ClassDef, names: Names) -> Iterator[Function | ast.ClassDef]:
    yield from [named, *names.bases(named)]
    yield from _methods(named, _CONSTRUCTORS, names)


def _methods(owner: ast.ClassDef, wanted: tuple[str, ...], names: Names) -> Iterator[Function]:
    found = (names.method(owner, name) for name in wanted)
    yield from (method for method in found if method is not None)


def _runs(code: Code, node: ast.AST, named: Function) -> bool:
    """Whether naming the function here runs it in the workflow, now or as a callback."""
    if is_activity(named, code.names) or _workflow_name(named, code.names):
        return False
    around = code.source.parent(node)
    if isinstance(around, ast.Call) and node in around.args:
        return not code.names.is_known(around.func, _BY_REFERENCE)
    # What stands inside the walked function is part of it already.
    return code.node not in code.source.parents(named)
